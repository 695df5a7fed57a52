// LabDaemon
