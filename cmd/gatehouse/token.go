package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/auth"
	"gatehouse/auth/devkey"
)

// tokenFlags are what a development token is to say.
type tokenFlags struct {
	api, authorizer, subject string
	scopes                   []string
	lifetime                 time.Duration
}

func newToken(f *flags) *cobra.Command {
	t := &tokenFlags{}
	cmd := &cobra.Command{
		Use:     "token",
		Short:   "Print a token signed with the development key",
		Long:    "Print a JWT signed with the development key, which lies in the data folder and is\ntrusted by authorizers with jwks: development alone.",
		Example: "  gatehouse token --api shop --authorizer customers --subject alice --scope orders.read",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := gatehouse.Load(f.config)
			if err != nil {
				return f.problems(cmd, err)
			}
			token, err := t.sign(cfg)
			if err != nil {
				return found(err)
			}
			v := struct {
				Token string `json:"token"`
			}{token}
			return f.print(cmd, v, func() { fmt.Fprintln(cmd.OutOrStdout(), token) })
		},
	}
	cmd.Flags().StringVar(&t.api, "api", "", "API; may be left out where there is one with a fitting authorizer")
	cmd.Flags().StringVar(&t.authorizer, "authorizer", "", "authorizer of the API; likewise")
	cmd.Flags().StringVar(&t.subject, "subject", "developer", "who the token is for")
	cmd.Flags().StringSliceVar(&t.scopes, "scope", nil, "scopes; may be given several times")
	cmd.Flags().DurationVar(&t.lifetime, "lifetime", time.Hour, "how long the token is good")
	return cmd
}

func (t *tokenFlags) sign(cfg *gatehouse.Config) (string, error) {
	c, err := t.find(cfg)
	if err != nil {
		return "", err
	}
	key, err := devkey.Open(cfg.Data.Value)
	if err != nil {
		return "", err
	}
	return key.Sign(devkey.Claims{Issuer: c.JWT.Issuer, Audience: c.JWT.Audience, Subject: t.subject, Scopes: t.scopes, Lifetime: t.lifetime})
}

// find returns the one authorizer that is meant.
func (t *tokenFlags) find(cfg *gatehouse.Config) (*auth.Config, error) {
	fitting := make(map[string]*auth.Config)
	for api, a := range cfg.APIs {
		for name, c := range a.Authorizers {
			if c.UsesDevelopmentKey() && (t.api == "" || t.api == api) && (t.authorizer == "" || t.authorizer == name) {
				fitting[api+"/"+name] = c
			}
		}
	}
	switch len(fitting) {
	case 0:
		return nil, fmt.Errorf("no authorizer here trusts the development key: it would say jwks: development")
	case 1:
		for _, c := range fitting {
			return c, nil
		}
	}
	return nil, fmt.Errorf("several authorizers trust the development key: say with --api and --authorizer which of %s", strings.Join(slices.Sorted(maps.Keys(fitting)), ", "))
}
