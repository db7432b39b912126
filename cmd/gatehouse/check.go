package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/config"
)

func newCheck(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "check",
		Short:   "Check a configuration: every error at once, each with its place",
		Example: "  gatehouse check -c shop/gatehouse.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := gatehouse.Load(f.config)
			if err != nil {
				return f.problems(cmd, err)
			}
			result := struct {
				OK       bool     `json:"ok"`
				Warnings []string `json:"warnings,omitempty"`
			}{true, cfg.Warnings()}
			return f.print(cmd, result, func() {
				for _, w := range result.Warnings {
					fmt.Fprintln(cmd.OutOrStdout(), "warning:", w)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is good\n", f.config)
			})
		},
	}
}

// problems reports what is wrong with a configuration in the form asked for.
func (f *flags) problems(cmd *cobra.Command, err error) error {
	var all *config.Errors
	if f.output != "json" || !errors.As(err, &all) {
		return found(err)
	}
	result := struct {
		OK       bool             `json:"ok"`
		Problems []config.Problem `json:"problems"`
	}{false, all.Problems()}
	if err := f.print(cmd, result, func() {}); err != nil {
		return err
	}
	return &foundError{}
}
