"""The workshop: a labelled batch in, a validated, trained and registered model out."""
