package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/secrets"
)

func newSecrets(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "List and rotate the keys that the running gateway has of its own",
		Long: "The keys of cookies, tickets, temporary credentials, identity tokens and the internal\n" +
			"CA. They take turns by themselves; where the configuration has a state they are kept in\n" +
			"it, and all gateways that share it have the same.",
		Example: "  gatehouse secrets list\n  gatehouse secrets rotate cookie-keys.json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSecretsList(f), newSecretsRotate(f))
	return cmd
}

func newSecretsList(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Print which keys are in use, since when, and until when at the latest",
		Example: "  gatehouse secrets list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []secrets.Status
			if err := f.act(cmd, "secrets/list", nil, &all); err != nil {
				return err
			}
			return f.print(cmd, all, func() {
				t := newTable(cmd.OutOrStdout())
				fmt.Fprintln(t, "NAME\tKEYS\tSINCE\tNEXT")
				for _, s := range all {
					fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", s.Name, s.Keys, s.Since.Format(time.DateOnly), s.Next.Format(time.DateOnly))
				}
				_ = t.Flush()
			})
		},
	}
}

func newSecretsRotate(f *flags) *cobra.Command {
	var ref gatehouse.SecretRef
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Put a new key into force now",
		Long: "Put a new key into force now, at all gateways that share the state. What the keys before\n" +
			"made stays good for its time, unless --forget says that one has leaked: then sessions of\n" +
			"browsers and temporary credentials end. Of the CA the intermediates are made anew; its\n" +
			"root stays. Who remembers the keys of identity tokens has to ask for them again.",
		Example: "  gatehouse secrets rotate cookie-keys.json\n  gatehouse secrets rotate iam/session.key --forget",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref.Name = args[0]
			var now secrets.Status
			if err := f.act(cmd, "secrets/rotate", ref, &now); err != nil {
				return err
			}
			return f.print(cmd, now, func() {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: a new key is in force; %d are good\n", now.Name, now.Keys)
			})
		},
	}
	cmd.Flags().BoolVar(&ref.Forget, "forget", false, "nothing is good any more that the keys before made")
	return cmd
}
