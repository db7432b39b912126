package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  gatehouse version -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{version, runtime.Version()}
			return f.print(cmd, v, func() { fmt.Fprintf(cmd.OutOrStdout(), "gatehouse %s (%s)\n", v.Version, v.Go) })
		},
	}
}
