"""A miniature world whose harm is fictional and exactly known, for a real LLaVA in small.

Everything here but `tokenizer`, `build` and `recipe` is free of torch.
"""
