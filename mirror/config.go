package mirror

import "gatehouse/config"

// Config says which requests are copied, and how.
type Config struct {
	config.At
	Percent     float64         `yaml:"percent" default:"100" range:"0..100" doc:"percent of the requests that are copied"`
	Body        config.Size     `yaml:"body" default:"64KiB" range:"0..16MiB" doc:"requests with larger bodies are not copied"`
	Credentials bool            `yaml:"credentials" doc:"whether copies keep Authorization, cookies, API keys and what else proves who calls"`
	Timeout     config.Duration `yaml:"timeout" default:"10s" range:"1ms..10m" doc:"how long a copy may take"`
	Concurrent  int             `yaml:"concurrent" default:"16" range:"1..1024" doc:"copies that are sent to the service at once; sixteen times as many may wait, and what is over is dropped"`
}
