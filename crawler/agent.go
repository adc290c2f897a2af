package crawler

// UserAgentOf returns the User-Agent of a crawler made from cfg, for others who
// speak in its name. The error names a part that the field cannot carry.
func UserAgentOf(cfg Config) (string, error) { return userAgent(cfg) }
