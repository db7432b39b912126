package gatehouse

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"gatehouse/auth/identity"
	"gatehouse/auth/revoked"
	"gatehouse/edge"
	"gatehouse/edge/ca"
	"gatehouse/iam"
	"gatehouse/iam/accesskey"
	"gatehouse/secrets"
	"gatehouse/state"
	"gatehouse/state/vault"
	"gatehouse/usage"
)

// openSecrets opens the state where it is needed, the audit, and the gateway's own
// secrets: in the state where the configuration has one, else in files.
func (k *keepers) openSecrets(cfg *Config, g *Gateway, log *slog.Logger) (err error) {
	data := cfg.Data.Value
	files := secrets.NewFiles(data)
	k.state = state.New(state.Options{Data: data, Config: cfg.State, Log: log, Dial: k.dialer.Dial})
	k.usage = usage.NewKeeper(k.state, log)
	k.revoked = revoked.New(k.state, log)
	k.logouts = revoked.NewLogouts(k.state, log)
	k.access = accesskey.NewKeeper(k.state, log)
	k.vault = vault.New(k.state, files, log)
	k.turns = secrets.NewKeeper(secrets.KeeperOptions{Log: log, Turned: k.turned, Chores: []func(context.Context){k.vault.Settle, k.logouts.Flush, k.publish}})
	k.identity = turning(k, identity.OpenKeys)
	if cfg.needsState() && (g.taking == nil || k.state.External()) {
		if err := k.openState(context.Background(), data); err != nil {
			return err
		}
	}
	k.place = files
	k.vault.Lend(g.known.secrets)
	if cfg.State != nil || len(g.known.secrets) > 0 || !k.vault.Empty() {
		k.place = k.vault
		if k.tickets, err = turning(k, edge.OpenTickets)(); err != nil {
			return fmt.Errorf("the keys of TLS tickets: %w", err)
		}
	}
	if k.authority, err = k.openAuthority(filepath.Join(data, "ca"), log); err != nil {
		return fmt.Errorf("the internal CA: %w", err)
	}
	if k.sealer, err = turning(k, iam.OpenSealer)(); err != nil {
		return fmt.Errorf("the key of sessions: %w", err)
	}
	if k.audit, err = newAudit(cfg, log); err != nil {
		return err
	}
	if g.taking != nil {
		return nil // the logs are the running gateway's
	}
	if err = k.audit.resume(); err != nil {
		k.audit.close()
	}
	return err
}

// openAuthority opens the internal CA.
func (k *keepers) openAuthority(dir string, log *slog.Logger) (authority *ca.CA, err error) {
	if k.place == secrets.Place(k.vault) {
		authority, err = ca.OpenKept(k.place, dir)
	} else {
		authority, err = ca.Open(dir)
	}
	if err != nil {
		return nil, err
	}
	k.turns.Add(authority)
	if text := authority.Warning(); text != "" {
		log.Warn(text)
	}
	if authority.Taken() {
		log.Info("the internal CA was taken from its files into the state; they keep the root's certificate alone", slog.String("folder", dir))
	}
	if aside := authority.Aside(); aside != "" {
		log.Warn("this gateway had an internal CA of its own, and the state has one, which all gateways use: the former was put aside; remove it once nobody trusts its root", slog.String("folder", aside))
	}
	return authority, nil
}

// publish has the root's certificate lie where clients are told that it does.
func (k *keepers) publish(ctx context.Context) { k.authority.Publish(ctx) }

// turning returns what opens a ring once, when it is first wanted, and has it take
// its turns.
func turning[R secrets.Turner](k *keepers, open func(secrets.Place) (R, error)) func() (R, error) {
	return sync.OnceValues(func() (R, error) {
		r, err := open(k.place)
		if err == nil {
			k.turns.Add(r)
		}
		return r, err
	})
}

// turned writes down that keys have changed by themselves.
func (k *keepers) turned(name string) {
	k.audit.note(context.Background(), "secrets.turn", map[string]string{"keys": name}, nil)
}
