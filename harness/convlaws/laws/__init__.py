"""What must hold: equations between answers. A law cannot pick its method."""
