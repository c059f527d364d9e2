"""What goes on inside a method or a model: figures behind pictures, never part of a score."""
