"""One vision-language model behind its roles: vision, projector, language."""
