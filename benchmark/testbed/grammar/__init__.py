"""What is said in the miniature world, by meaning: requests, frames, answers, documents, questions.

Every form belongs to one phrase set: "train" forms occur in training, "evaluation" forms never.
"""
