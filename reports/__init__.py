"""Findings made readable. `page.render` is the whole of the HTML page; nothing here runs a convolution."""
