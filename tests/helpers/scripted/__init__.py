"""An engine of the tests' own: right by a definition of its own, and wrong, slow or dead where the test's script says so.

What the harness makes of an engine is asserted on this one; what a released engine does depends on the processor at hand.
Rows in `convlaws.json`, found as those of any package where `site/` is on the path (see `scripts.py` beside this folder);
`functions.py` has the same as functions of torch's signatures. Nothing is imported here: the rows are read without.
"""
