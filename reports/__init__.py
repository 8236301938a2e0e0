"""Records made readable: console, Markdown, JUnit, scripts, the HTML page. Runs no convolution."""
