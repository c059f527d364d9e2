"""VLM Unlearning Bench: safety unlearning of vision-language models, compared on one footing."""

__version__ = "0.1.0"
