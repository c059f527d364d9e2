"""The defended model on an OpenAI-compatible endpoint: from bytes to a sample, and back."""
