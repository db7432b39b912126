package main

import (
	"github.com/spf13/cobra"

	"gatehouse"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the configuration's JSON Schema, for editors",
		Example: "  gatehouse schema > gatehouse.schema.json\n  # and at the head of gatehouse.yaml:\n  # yaml-language-server: $schema=gatehouse.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(gatehouse.Schema())
			return err
		},
	}
}
