package gatehouse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse/admin"
	"gatehouse/auth/revoked"
	"gatehouse/usage"
)

// acts are what commands can have a running gateway do, by their names.
func (g *Gateway) acts() admin.Acts {
	k := g.keepers
	return admin.Acts{
		"keys/create":  audited(g, "keys.create", g.createKey),
		"keys/list":    quiet(g, func(context.Context, struct{}) (any, error) { return k.usage.List(), nil }),
		"keys/usage":   quiet(g, func(_ context.Context, in KeyRef) (any, error) { return k.usage.Usage(in.ID) }),
		"keys/enable":  audited(g, "keys.enable", g.keyAct(func(ctx context.Context, id string) (any, error) { return k.usage.Enable(ctx, id, true) })),
		"keys/disable": audited(g, "keys.disable", g.keyAct(func(ctx context.Context, id string) (any, error) { return k.usage.Enable(ctx, id, false) })),
		"keys/delete":  audited(g, "keys.delete", g.keyAct(func(ctx context.Context, id string) (any, error) { return k.usage.Delete(ctx, id) })),
		"keys/rotate":  audited(g, "keys.rotate", g.rotateKey),

		"tokens/revoke": audited(g, "tokens.revoke", g.revoke),
		"tokens/pardon": audited(g, "tokens.pardon", g.pardon),
		"tokens/list":   quiet(g, func(context.Context, struct{}) (any, error) { return k.revoked.Rules(), nil }),

		"iam/access-key/create":  audited(g, "iam.access-key.create", g.createAccessKey),
		"iam/access-key/list":    quiet(g, func(_ context.Context, in UserRef) (any, error) { return k.access.List(in.User), nil }),
		"iam/access-key/enable":  audited(g, "iam.access-key.enable", g.keyAct(func(ctx context.Context, id string) (any, error) { return k.access.Enable(ctx, id, true) })),
		"iam/access-key/disable": audited(g, "iam.access-key.disable", g.keyAct(func(ctx context.Context, id string) (any, error) { return k.access.Enable(ctx, id, false) })),
		"iam/access-key/delete":  audited(g, "iam.access-key.delete", g.keyAct(func(ctx context.Context, id string) (any, error) { return KeyRef{ID: id}, k.access.Delete(ctx, id) })),

		"secrets/list":   quiet(g, func(context.Context, struct{}) (any, error) { return g.listSecrets(), nil }),
		"secrets/rotate": audited(g, "secrets.rotate", g.rotateSecret),
		"ca/issue":       audited(g, "ca.issue", g.issueCertificate),

		"functions/list":   plainly(func(context.Context, struct{}) (any, error) { return g.listFunctions(), nil }),
		"functions/invoke": plainly(g.invokeFunction),

		"drained": quiet(g, g.drained),

		"state/export": audited(g, "state.export", g.exportState),
		"state/import": audited(g, "state.import", g.importState),
		"state/rekey":  audited(g, "state.rekey", g.rekeyState),
	}
}

// detail is what the audit says of an act; never a credential.
type detail map[string]string

// quiet is an act that changes nothing: it is not written down.
func quiet[T any](g *Gateway, do func(context.Context, T) (any, error)) admin.Act {
	return func(ctx context.Context, document []byte) (any, error) {
		var in T
		if err := readDocument(document, &in); err != nil {
			return nil, err
		}
		if err := g.stateForActs(ctx); err != nil {
			return nil, err
		}
		return do(ctx, in)
	}
}

// plainly is an act that neither changes anything nor needs the state.
func plainly[T any](do func(context.Context, T) (any, error)) admin.Act {
	return func(ctx context.Context, document []byte) (any, error) {
		var in T
		if err := readDocument(document, &in); err != nil {
			return nil, err
		}
		return do(ctx, in)
	}
}

// audited is an act that is written down, whatever becomes of it.
func audited[T any](g *Gateway, name string, do func(context.Context, T) (any, detail, error)) admin.Act {
	return func(ctx context.Context, document []byte) (any, error) {
		var in T
		if err := readDocument(document, &in); err != nil {
			return nil, err
		}
		if err := g.stateForActs(ctx); err != nil {
			return nil, err
		}
		// An act that has begun is done, though who asked for it hangs up.
		out, detail, err := do(context.WithoutCancel(ctx), in)
		g.keepers.audit.note(ctx, name, detail, err)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// stateForActs opens the state, unless it is another process's by now.
func (g *Gateway) stateForActs(ctx context.Context) error {
	if g.handed.Load() {
		return errHanded
	}
	return g.keepers.openState(ctx, g.current.Load().config.Data.Value)
}

func readDocument(document []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("the document of the call: %w", err)
	}
	return nil
}

var errHanded = errors.New("another process has taken over: ask that one")

// KeyRef names an API key in a call.
type KeyRef struct {
	ID    string        `json:"id"`
	Grace time.Duration `json:"grace,omitempty"` // of a rotation, in nanoseconds
}

func (g *Gateway) createKey(ctx context.Context, in usage.Wish) (any, detail, error) {
	d := detail{"name": in.Name, "plan": in.Plan}
	key, err := g.keepers.usage.Create(ctx, in)
	if err != nil {
		return nil, d, err
	}
	d["id"] = key.ID
	return key, d, nil
}

// keyAct is an act on one key.
func (g *Gateway) keyAct(do func(context.Context, string) (any, error)) func(context.Context, KeyRef) (any, detail, error) {
	return func(ctx context.Context, in KeyRef) (any, detail, error) {
		out, err := do(ctx, in.ID)
		return out, detail{"id": in.ID}, err
	}
}

// UserRef names a user of iam in a call.
type UserRef struct {
	User string `json:"user"`
}

func (g *Gateway) createAccessKey(ctx context.Context, in UserRef) (any, detail, error) {
	d := detail{"user": in.User}
	section := g.current.Load().config.IAM
	if section == nil || section.Users[in.User] == nil {
		return nil, d, fmt.Errorf("there is no user %q under iam.users of the configuration", in.User)
	}
	key, err := g.keepers.access.Create(ctx, in.User)
	if err != nil {
		return nil, d, err
	}
	d["id"] = key.ID
	return key, d, nil
}

// maxGrace is how long a value is taken at most after its rotation.
const maxGrace = 90 * 24 * time.Hour

func (g *Gateway) rotateKey(ctx context.Context, in KeyRef) (any, detail, error) {
	d := detail{"id": in.ID, "grace": in.Grace.String()}
	if in.Grace < 0 || in.Grace > maxGrace {
		return nil, d, fmt.Errorf("the value before is taken for 0s to %v longer", maxGrace)
	}
	key, err := g.keepers.usage.Rotate(ctx, in.ID, in.Grace)
	return key, d, err
}

func (g *Gateway) revoke(ctx context.Context, in revoked.Rule) (any, detail, error) {
	err := g.fillIssuer(&in)
	d := detail{"issuer": in.Issuer, "jti": in.ID, "subject": in.Subject, "reason": in.Reason}
	if err != nil {
		return nil, d, err
	}
	rule, err := g.keepers.revoked.Revoke(ctx, in)
	if err == nil && rule.Before != nil {
		d["issuedBefore"] = rule.Before.Format(time.RFC3339)
	}
	return rule, d, err
}

func (g *Gateway) pardon(ctx context.Context, in revoked.Rule) (any, detail, error) {
	err := g.fillIssuer(&in)
	d := detail{"issuer": in.Issuer, "jti": in.ID, "subject": in.Subject}
	if err == nil {
		err = g.keepers.revoked.Pardon(ctx, in)
	}
	return in, d, err
}

// fillIssuer says the issuer where there is only one.
func (g *Gateway) fillIssuer(r *revoked.Rule) error {
	issuers := make(map[string]bool)
	for _, a := range g.current.Load().config.APIs {
		for _, c := range a.Authorizers {
			if c.JWT != nil {
				issuers[c.JWT.Issuer] = true
			}
		}
	}
	if r.Issuer == "" {
		if len(issuers) != 1 {
			return fmt.Errorf("say the issuer: the configuration has %v", names(issuers))
		}
		r.Issuer = names(issuers)[0]
	}
	return nil
}

// Sealed is an export of the state in a call.
type Sealed struct {
	Passphrase string `json:"passphrase,omitempty"`
	Overwrite  bool   `json:"overwrite,omitempty"`
	Export     []byte `json:"export,omitempty"`
}

var errPassphrase = errors.New("an export is encrypted: say --passphrase-file")

func (g *Gateway) exportState(_ context.Context, in Sealed) (any, detail, error) {
	if in.Passphrase == "" {
		return nil, nil, errPassphrase
	}
	text, err := g.keepers.state.Export(in.Passphrase)
	return Sealed{Export: text}, detail{"bytes": fmt.Sprint(len(text))}, err
}

func (g *Gateway) importState(ctx context.Context, in Sealed) (any, detail, error) {
	if in.Passphrase == "" {
		return nil, nil, errPassphrase
	}
	done, err := g.keepers.state.Import(ctx, in.Passphrase, in.Export, in.Overwrite)
	return done, detail{"rows": fmt.Sprint(done.Rows), "written": fmt.Sprint(done.Written), "overwrite": fmt.Sprint(in.Overwrite)}, err
}

func (g *Gateway) rekeyState(ctx context.Context, _ struct{}) (any, detail, error) {
	done, err := g.keepers.state.Rekey(ctx)
	return done, detail{"secrets": fmt.Sprint(done.Secrets), "key": done.Key}, err
}
