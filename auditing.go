package gatehouse

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"gatehouse/admin"
	"gatehouse/exchange"
	"gatehouse/limit"
	"gatehouse/observe/audit"
	"gatehouse/state"
)

// The logs of the audit, and how many older files are kept of refusals.
const (
	actsLog      = "acts"
	refusalsLog  = "refusals"
	keptRefusals = 8
)

// auditing writes down what administrators do and whom authentication refuses.
type auditing struct {
	acts     *audit.Log
	refusals *audit.Refusals
	log      *slog.Logger
}

func auditFolder(data string) string { return filepath.Join(data, "audit") }

// auditKeys returns where the key that signs the audit may be: beside the master
// key, so that who has the data cannot sign, and else below data.
func (cfg *Config) auditKeys() []string {
	own := filepath.Join(auditFolder(cfg.Data.Value), "signing.key")
	if !cfg.needsState() || cfg.State != nil && cfg.State.MasterKey.Value.IsSet() {
		return []string{own}
	}
	master, err := state.DefaultMasterKey()
	if cfg.State != nil && cfg.State.MasterKey.File != nil {
		master, err = cfg.State.MasterKey.File.Value, nil
	}
	if err != nil {
		return []string{own}
	}
	return []string{filepath.Join(filepath.Dir(master), "audit.key"), own}
}

// newAudit returns the audit below data, of which nothing is open until resume.
// Where the key cannot be made beside the master key it lies below data.
func newAudit(cfg *Config, log *slog.Logger) (a *auditing, err error) {
	var key ed25519.PrivateKey
	for _, path := range cfg.auditKeys() {
		if key, err = audit.OpenKey(path); err == nil {
			break
		}
		log.Warn("the audit cannot be signed with a key in this place", slog.Any("error", err))
	}
	if err != nil {
		return nil, fmt.Errorf("the audit: %w", err)
	}
	dir := auditFolder(cfg.Data.Value)
	refusals := audit.New(dir, refusalsLog, key, audit.Options{Log: log, Keep: keptRefusals})
	return &auditing{
		acts:     audit.New(dir, actsLog, key, audit.Options{Log: log}),
		refusals: audit.NewRefusals(refusals, log), log: log,
	}, nil
}

// resume opens the logs.
func (a *auditing) resume() error {
	err := a.acts.Open()
	if err == nil {
		err = a.refusals.Resume()
	}
	if err != nil {
		return fmt.Errorf("the audit: %w", err)
	}
	return nil
}

// pause closes the logs, which another process is to write.
func (a *auditing) pause() {
	_ = a.refusals.Pause()
	_ = a.acts.Close()
}

func (a *auditing) close() {
	_ = a.refusals.Close()
	_ = a.acts.Close()
}

// note writes down one act. An act that was done stays done where it cannot be
// written down: a key that leaked must be disabled on a full disk too.
func (a *auditing) note(ctx context.Context, act string, detail map[string]string, err error) {
	r := audit.Record{Act: act, Actor: admin.Actor(ctx), Outcome: audit.Done, Detail: detail}
	if err != nil {
		r.Outcome = audit.Failed
		if r.Detail == nil {
			r.Detail = make(map[string]string)
		}
		r.Detail["error"] = err.Error()
	}
	if err := a.acts.Append(r); err != nil {
		a.log.Error("an act could not be written down in the audit", slog.String("act", act), slog.String("actor", r.Actor), slog.Any("detail", detail), slog.Any("error", err))
	}
}

// refused counts a request that authentication has refused.
func (a *auditing) refused(x *exchange.Exchange) {
	f := x.Refused
	if f == nil || f.Rule.Filter != "auth" && (f.Rule.Filter != "usage" || f.Status == 429) {
		return
	}
	a.refusals.Note(audit.Group{API: x.API, Stage: x.Stage, Rule: f.Rule.Filter + ": " + f.Rule.Name, Reason: f.Reason, Client: limit.Subscriber(x.Client).String()})
}

// VerifyAudit reads the audit of a configuration and says of each log what is
// not as it was written. From is a record that was noted elsewhere, [LOG/]SEQ:HASH;
// "" for none.
func VerifyAudit(cfg *Config, from string) ([]*audit.Report, error) {
	var keys []ed25519.PublicKey
	for _, path := range cfg.auditKeys() {
		key, err := audit.ReadKey(path)
		switch {
		case err == nil:
			keys = append(keys, key.Public().(ed25519.PublicKey))
		case !errors.Is(err, os.ErrNotExist):
			return nil, err
		}
	}
	noted, record := actsLog, from
	if log, rest, named := strings.Cut(from, "/"); named {
		noted, record = log, rest
	}
	if noted != actsLog && noted != refusalsLog {
		return nil, fmt.Errorf("there is no log %q: write %s/SEQ:HASH or %s/SEQ:HASH", noted, actsLog, refusalsLog)
	}
	var out []*audit.Report
	for _, name := range []string{actsLog, refusalsLog} {
		at := ""
		if name == noted {
			at = record
		}
		r, err := audit.Verify(auditFolder(cfg.Data.Value), name, keys, at)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
