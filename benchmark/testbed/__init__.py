"""A miniature world whose harm is fictional and exactly known, for real architectures in small.

Everything here but `tokenizer`, `architectures` and `recipe` is free of torch.
"""
