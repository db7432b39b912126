package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse"
)

func newAudit(f *flags) *cobra.Command {
	var from string
	verify := &cobra.Command{
		Use:     "verify",
		Short:   "Find what was changed in the audit since it was written",
		Long:    "Read the audit below the data folder and find records that were changed, left out,\nreordered or cut off. Note the last record that it prints elsewhere, and say it with\n--from the next time: then an older state of the whole folder shows too. The gateway need\nnot run. Exit code 1 where something is found.",
		Example: "  gatehouse audit verify --from 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := gatehouse.Load(f.config)
			if err != nil {
				return f.problems(cmd, err)
			}
			reports, err := gatehouse.VerifyAudit(cfg, from)
			if err != nil {
				return found(err)
			}
			broken := false
			for _, r := range reports {
				broken = broken || len(r.Problems) > 0
			}
			err = f.print(cmd, reports, func() {
				for _, r := range reports {
					fmt.Fprintf(cmd.OutOrStdout(), "%-9s %d records, the last %s/%d:%s\n", r.Log, r.Records, r.Log, r.Last, r.Hash)
					for _, p := range r.Problems {
						fmt.Fprintln(cmd.OutOrStdout(), "  "+printable(p))
					}
				}
			})
			if err == nil && broken {
				return &foundError{}
			}
			return err
		},
	}
	verify.Flags().StringVar(&from, "from", "", "a record that was noted, [LOG/]SEQ:HASH: it must be there still")
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Verify what was written down of administrators' acts and refused authentications",
		Example: "  gatehouse audit verify",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verify)
	return cmd
}
