"""The paper in one folder: the certificate, the objective, Algorithm 2's search, and the two ways to train rounds."""
