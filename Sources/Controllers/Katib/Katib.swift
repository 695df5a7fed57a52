// Katib
