package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"gatehouse/edge/ca"
)

func newCA(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "ca",
		Short: "Print the internal CA's root certificate, for clients to trust",
		Long: "Print the root certificate of the internal CA in PEM. The CA lies below the data\n" +
			"folder and is made where it is not there yet.",
		Example: "  gatehouse ca > ca.pem && curl --cacert ca.pem https://localhost:8443/",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := f.data(cmd)
			if err != nil {
				return f.problems(cmd, err)
			}
			authority, err := ca.Open(filepath.Join(data, "ca"))
			if err != nil {
				return found(err)
			}
			root := string(authority.RootPEM())
			v := struct {
				Root string `json:"root"`
			}{root}
			return f.print(cmd, v, func() { fmt.Fprint(cmd.OutOrStdout(), root) })
		},
	}
}
