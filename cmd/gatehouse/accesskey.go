package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/iam/accesskey"
)

func newAccessKey(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "access-key",
		Short:   "Manage the access keys that users sign with, at the running gateway",
		Long:    "Manage access keys of users of iam, beside those in the configuration. They are kept\nin the state, encrypted under the master key.",
		Example: "  gatehouse iam access-key create ci",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newAccessKeyCreate(f), newAccessKeyList(f),
		newAccessKeyAct(f, "disable", "Have an access key refused from now on", "disabled"),
		newAccessKeyAct(f, "enable", "Have an access key taken again", "enabled"),
		newAccessKeyAct(f, "delete", "Forget an access key", "deleted"),
	)
	return cmd
}

func newAccessKeyCreate(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "create USER",
		Short:   "Make an access key and print it, this once",
		Example: "  gatehouse iam access-key create ci -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key accesskey.Key
			if err := f.act(cmd, "iam/access-key/create", gatehouse.UserRef{User: args[0]}, &key); err != nil {
				return err
			}
			return f.print(cmd, key, func() {
				fmt.Fprintf(cmd.OutOrStdout(), "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", key.ID, key.Secret)
				fmt.Fprintln(cmd.ErrOrStderr(), "The secret is not shown again: hand it over now.")
			})
		},
	}
}

func newAccessKeyList(f *flags) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the access keys that were made by commands",
		Example: "  gatehouse iam access-key list --user ci",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys := []accesskey.Key{}
			if err := f.act(cmd, "iam/access-key/list", gatehouse.UserRef{User: user}, &keys); err != nil {
				return err
			}
			return f.print(cmd, keys, func() {
				t := newTable(cmd.OutOrStdout())
				fmt.Fprintln(t, "ID\tUSER\tENABLED\tCREATED")
				for _, k := range keys {
					fmt.Fprintf(t, "%s\t%s\t%v\t%s\n", k.ID, printable(k.User), k.Enabled, k.Created.Format(time.DateOnly))
				}
				_ = t.Flush()
			})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "of one user only")
	return cmd
}

func newAccessKeyAct(f *flags, name, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ID",
		Short:   short,
		Example: "  gatehouse iam access-key " + name + " AKIAQ3EGUZ5XWJ6LKV2T",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key accesskey.Key
			if err := f.act(cmd, "iam/access-key/"+name, gatehouse.KeyRef{ID: args[0]}, &key); err != nil {
				return err
			}
			return f.print(cmd, key, func() { fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", done, args[0]) })
		},
	}
}
