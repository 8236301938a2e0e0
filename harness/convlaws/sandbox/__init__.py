"""Runs a method in a child process that may crash, hang, scribble over memory or eat it all."""
