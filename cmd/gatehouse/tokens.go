package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/auth/revoked"
)

func newTokens(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tokens",
		Short:   "Revoke tokens at the running gateway",
		Long:    "Revoke tokens that are good by themselves: one by its id (jti), or all that a subject\nor an issuer had until a time. It holds from when the command returns.",
		Example: "  gatehouse tokens revoke --subject alice\n  gatehouse tokens list",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokensRevoke(f), newTokensPardon(f), newTokensList(f))
	return cmd
}

// ruleFlags are what a revocation is about.
func ruleFlags(cmd *cobra.Command, r *revoked.Rule) {
	cmd.Flags().StringVar(&r.Issuer, "issuer", "", "whose tokens; may be left out where the configuration has one issuer")
	cmd.Flags().StringVar(&r.ID, "jti", "", "the token with this id")
	cmd.Flags().StringVar(&r.Subject, "subject", "", "tokens of this subject")
}

func newTokensRevoke(f *flags) *cobra.Command {
	var r revoked.Rule
	var before, until string
	cmd := &cobra.Command{
		Use:   "revoke",
		Short: "Have tokens refused from now on",
		Long: "Have tokens refused from now on: that with an id (--jti), or those of a subject\n(--subject), or all of an issuer (--issued-before alone), that were issued until now, or\n" +
			"until --issued-before. With --until it may be forgotten then, since the tokens have expired.",
		Example: "  gatehouse tokens revoke --jti 9f86d081 --reason leaked\n  gatehouse tokens revoke --issued-before 2026-11-25T12:00:00Z",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.ID == "" && r.Subject == "" && before == "" {
				return errors.New("say what is revoked: --jti, --subject or --issued-before")
			}
			var err error
			if r.Before, err = parseTime(before); err != nil {
				return err
			}
			if r.Until, err = parseTime(until); err != nil {
				return err
			}
			var done revoked.Rule
			if err := f.act(cmd, "tokens/revoke", r, &done); err != nil {
				return err
			}
			return f.print(cmd, done, func() { fmt.Fprintln(cmd.OutOrStdout(), "revoked: "+describe(&done)) })
		},
	}
	ruleFlags(cmd, &r)
	cmd.Flags().StringVar(&before, "issued-before", "", "tokens that were issued until this time, such as 2026-11-25T12:00:00Z; default: now")
	cmd.Flags().StringVar(&until, "until", "", "when it may be forgotten; default: never")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why, for the list and the audit")
	return cmd
}

func parseTime(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, errors.New("a time is written 2026-11-25T12:00:00Z")
	}
	at = at.UTC()
	return &at, nil
}

func describe(r *revoked.Rule) string {
	text := "tokens of " + printable(r.Issuer)
	if r.Subject != "" {
		text += " for " + printable(r.Subject)
	}
	if r.ID != "" {
		return "the token " + printable(r.ID) + " of " + printable(r.Issuer)
	}
	return text + ", issued until " + r.Before.Format(time.RFC3339)
}

func newTokensPardon(f *flags) *cobra.Command {
	var r revoked.Rule
	cmd := &cobra.Command{
		Use:     "pardon",
		Short:   "Take a revocation back",
		Example: "  gatehouse tokens pardon --jti 9f86d081",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done revoked.Rule
			if err := f.act(cmd, "tokens/pardon", r, &done); err != nil {
				return err
			}
			return f.print(cmd, done, func() { fmt.Fprintln(cmd.OutOrStdout(), "pardoned") })
		},
	}
	ruleFlags(cmd, &r)
	return cmd
}

func newTokensList(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List what is revoked",
		Example: "  gatehouse tokens list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules := []*revoked.Rule{}
			if err := f.act(cmd, "tokens/list", struct{}{}, &rules); err != nil {
				return err
			}
			return f.print(cmd, rules, func() {
				t := newTable(cmd.OutOrStdout())
				fmt.Fprintln(t, "CREATED\tREVOKED\tREASON")
				for _, r := range rules {
					fmt.Fprintf(t, "%s\t%s\t%s\n", r.Created.Format(time.RFC3339), describe(r), printable(r.Reason))
				}
				_ = t.Flush()
			})
		},
	}
}
