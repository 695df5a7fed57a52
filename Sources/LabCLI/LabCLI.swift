// LabCLI
