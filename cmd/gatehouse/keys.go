package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/usage"
)

func newKeys(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Short:   "Manage the API keys of the running gateway",
		Long:    "Manage the API keys of the running gateway. What a key may use says its usage plan\n(usage-plans in the configuration). A change is on the disk when the command returns.",
		Example: "  gatehouse keys create --plan gold --name acme\n  gatehouse keys list\n  gatehouse keys disable 5f3a9c0e12ab34cd",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newKeysCreate(f), newKeysList(f), newKeysUsage(f), newKeysRotate(f),
		newKeysAct(f, "disable", "Have an API key refused from now on", "disabled"),
		newKeysAct(f, "enable", "Have an API key taken again", "enabled"),
		newKeysAct(f, "delete", "Forget an API key", "deleted"),
	)
	return cmd
}

// act makes a call on the running gateway.
func (f *flags) act(cmd *cobra.Command, name string, in, out any) error {
	c, err := f.client(cmd)
	if err != nil {
		return err
	}
	if err := c.Act(cmd.Context(), name, in, out); err != nil {
		return f.refused(cmd, err)
	}
	return nil
}

func newKeysCreate(f *flags) *cobra.Command {
	var w usage.Wish
	var expires time.Duration
	var value string
	cmd := &cobra.Command{
		Use:     "create",
		Short:   "Make an API key and print it, this once",
		Example: "  gatehouse keys create --plan gold --name acme --tag team=red --expires 2160h -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if expires != 0 {
				at := time.Now().Add(expires).UTC().Truncate(time.Second)
				w.Expires = &at
			}
			if value != "" {
				text, err := readSecret(cmd, value)
				if err != nil {
					return found(err)
				}
				w.Value = text
			}
			var key usage.Created
			if err := f.act(cmd, "keys/create", w, &key); err != nil {
				return err
			}
			return f.print(cmd, key, func() {
				fmt.Fprintf(cmd.OutOrStdout(), "id     %s\nvalue  %s\n", key.ID, key.Value)
				fmt.Fprintln(cmd.ErrOrStderr(), "The value is not kept: hand it over now.")
			})
		},
	}
	cmd.Flags().StringVar(&w.Plan, "plan", "", "usage plan (required)")
	cmd.Flags().StringVar(&w.Name, "name", "", "whose the key is (required)")
	cmd.Flags().StringToStringVar(&w.Tags, "tag", nil, "NAME=VALUE; may be given several times")
	cmd.Flags().DurationVar(&expires, "expires", 0, "how long the key is good, such as 2160h; default: for good")
	cmd.Flags().StringVar(&value, "value-file", "", "file with a value that clients have already, or - for standard input; default: a new one")
	_ = cmd.MarkFlagRequired("plan")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// maxSecret is how large a file with a secret may be.
const maxSecret = 4096

// readSecret reads a file, or standard input for "-", without the line's end.
func readSecret(cmd *cobra.Command, path string) (string, error) {
	in := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || len(text) > maxSecret {
		return "", errors.New("the secret is empty, or longer than 4096 bytes")
	}
	return secret, nil
}

func newKeysList(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the API keys, without their values",
		Example: "  gatehouse keys list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys := []usage.View{}
			if err := f.act(cmd, "keys/list", struct{}{}, &keys); err != nil {
				return err
			}
			return f.print(cmd, keys, func() {
				t := newTable(cmd.OutOrStdout())
				fmt.Fprintln(t, "ID\tNAME\tPLAN\tVALUE\tSTATE\tCREATED\tEXPIRES")
				for _, k := range keys {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s...\t%s\t%s\t%s\n", k.ID, printable(k.Name), k.Plan, printable(k.Prefix), standing(k), k.Created.Format(time.DateOnly), orNever(k.Expires))
				}
				_ = t.Flush()
			})
		},
	}
}

func standing(k usage.View) string {
	switch {
	case !k.Enabled:
		return "disabled"
	case k.Expires != nil && k.Expires.Before(time.Now()):
		return "expired"
	}
	return "enabled"
}

func orNever(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format(time.RFC3339)
}

// printable takes what a terminal might obey out of a text.
func printable(s string) string {
	return strings.Trim(fmt.Sprintf("%q", s), `"`)
}

func newKeysUsage(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "usage ID",
		Short:   "Print what an API key has used of its quota",
		Example: "  gatehouse keys usage 5f3a9c0e12ab34cd",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var u usage.Use
			if err := f.act(cmd, "keys/usage", gatehouse.KeyRef{ID: args[0]}, &u); err != nil {
				return err
			}
			return f.print(cmd, u, func() {
				if u.Limit == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: the plan %s has no quota\n", u.ID, u.Plan)
					return
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d of %d used this %s, until %s\n", u.ID, u.Used, u.Limit, u.Per, u.Ends.Format(time.RFC3339))
			})
		},
	}
}

func newKeysRotate(f *flags) *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:     "rotate ID",
		Short:   "Give an API key a new value and print it, this once",
		Example: "  gatehouse keys rotate 5f3a9c0e12ab34cd --grace 24h",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key usage.Created
			if err := f.act(cmd, "keys/rotate", gatehouse.KeyRef{ID: args[0], Grace: grace}, &key); err != nil {
				return err
			}
			return f.print(cmd, key, func() { fmt.Fprintf(cmd.OutOrStdout(), "id     %s\nvalue  %s\n", key.ID, key.Value) })
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", 0, "how long the value before is taken still")
	return cmd
}

func newKeysAct(f *flags, name, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ID",
		Short:   short,
		Example: "  gatehouse keys " + name + " 5f3a9c0e12ab34cd",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key usage.View
			if err := f.act(cmd, "keys/"+name, gatehouse.KeyRef{ID: args[0]}, &key); err != nil {
				return err
			}
			return f.print(cmd, key, func() { fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", done, key.ID) })
		},
	}
}
