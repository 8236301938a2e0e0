"""The HTML page of findings: one module a section, with its template beside in `templates`."""
