package challenge

import (
	"time"

	"gatehouse/config"
)

// Config says how much a browser has to do, and what that is worth.
type Config struct {
	config.At
	Difficulty int             `yaml:"difficulty" default:"16" range:"1..24" doc:"bits of work: each more doubles it; 16 take a browser a fraction of a second"`
	Immunity   config.Duration `yaml:"immunity" default:"5m" range:"60s..72h" doc:"for how long whoever solved a challenge is let through"`
}

// The defaults, for a web ACL that says nothing of it.
const (
	DefaultDifficulty = 16
	DefaultImmunity   = 5 * time.Minute
	maxDifficulty     = 24
)

// filled returns c with its defaults.
func (c Config) filled() Config {
	if c.Difficulty == 0 {
		c.Difficulty = DefaultDifficulty
	}
	if c.Immunity == 0 {
		c.Immunity = config.Duration(DefaultImmunity)
	}
	return c
}
