package sandbox

import "gatehouse/config"

// Config says how well functions are to be kept apart.
type Config struct {
	config.At
	Minimum string `yaml:"minimum" default:"full" enum:"full|namespaces" doc:"how well functions are kept apart at least, or they are not started: full, or namespaces, where no cgroup limits what they use"`
	Cgroup  string `yaml:"cgroup" doc:"the folder below /sys/fs/cgroup in which functions get their cgroups, with cgroup v2; default: the gateway's own"`
}
