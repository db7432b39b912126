package gatehouse

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"gatehouse/config"
	"gatehouse/observe/metrics"
	"gatehouse/secrets"
)

// needsState reports whether the configuration, or what was stored before, needs
// the state. Where nothing does, it is not opened, and costs nothing.
func (cfg *Config) needsState() bool {
	if cfg.State != nil || len(cfg.Plans) > 0 {
		return true
	}
	_, err := os.Stat(filepath.Join(cfg.Data.Value, "state"))
	return err == nil
}

// openState opens the state and what is kept in it; once it is open it does
// nothing.
func (k *keepers) openState(ctx context.Context, data string) error {
	if k.state.Opened() {
		return nil
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if err := k.usage.Prepare(data); err != nil {
		return err
	}
	if err := k.state.Open(ctx); err != nil {
		return err
	}
	k.usage.Start()
	return nil
}

// prepareState opens the state where it is needed. While it is still the running
// gateway's, it looks for what would fail once there is no way back.
func (g *Gateway) prepareState(cfg *Config) error {
	switch {
	case !cfg.needsState():
		return nil
	case g.waits():
		return g.keepers.state.Check()
	}
	return g.keepers.openState(context.Background(), cfg.Data.Value)
}

// sameState reports whether two configurations keep the state in the same place.
func sameState(a, b *Config) bool { return config.Digest(a.State) == config.Digest(b.State) }

func (k *keepers) stateStats() []metrics.StateStats {
	s, open := k.state.Stats()
	if !open {
		return nil
	}
	return []metrics.StateStats{{Up: s.Up, Writes: s.Written, Failed: s.Failed, Rows: s.Rows, Bytes: s.Bytes, Known: s.Known, External: s.External, Copied: s.Copied}}
}

func (k *keepers) secretStats() []metrics.SecretStats {
	var out []metrics.SecretStats
	k.turns.Each(func(t secrets.Turner) {
		s := t.Status(time.Now())
		out = append(out, metrics.SecretStats{Name: s.Name, Keys: s.Keys, Since: s.Since, Next: s.Next})
	})
	return out
}
