"""What is said about music: vocabularies, categories, taggrams and their pictures."""
