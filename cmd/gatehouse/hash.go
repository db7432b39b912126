package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/auth/basic"
)

// maxPassword is how much of standard input is read for a password.
const maxPassword = 1024

func newHash(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "hash",
		Short: "Print the argon2id hash of a password, for an authorizer of users",
		Long: "Read a password from standard input, without the line's end, and print its argon2id\n" +
			"hash as authorizers with basic hold it.",
		Example: "  printf %s 'correct horse battery staple' | gatehouse hash",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxPassword+2))
			if err != nil {
				return found(err)
			}
			password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
			switch {
			case password == "":
				return found(errors.New("there is no password on standard input"))
			case len(password) > maxPassword:
				return found(fmt.Errorf("the password has more than %d bytes", maxPassword))
			}
			v := struct {
				Hash string `json:"hash"`
			}{basic.Hash(password)}
			return f.print(cmd, v, func() { fmt.Fprintln(cmd.OutOrStdout(), v.Hash) })
		},
	}
}
