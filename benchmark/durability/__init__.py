"""What is left of unlearning after a model is merged, rounded, trained on, prompted or sampled."""
