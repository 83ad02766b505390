"""What is known: records, taxonomy, cleaning, masking, splitting and segmentation of messages."""
