package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gatehouse"
)

func newPolicy(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "policy",
		Short:   "Test Cedar policies",
		Example: "  gatehouse policy test policies/shop.test.yaml",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyTest(f))
	return cmd
}

func newPolicyTest(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE...",
		Short: "Decide about the cases of files, and say which are not as expected",
		Long: "Decide about the requests of files by the Cedar policies of the configuration, without\n" +
			"a gateway that runs, and say which are not decided as expected. The exit code is 1\n" +
			"where one is not.",
		Example: "  gatehouse policy test policies/shop.test.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			cfg, err := gatehouse.Load(f.config)
			if err != nil {
				return f.problems(cmd, err)
			}
			var all []gatehouse.PolicyResult
			for _, file := range files {
				results, err := cfg.TestPolicies(file)
				if err != nil {
					return f.problems(cmd, err)
				}
				all = append(all, results...)
			}
			if err := f.print(cmd, all, func() { printPolicyResults(cmd.OutOrStdout(), all) }); err != nil {
				return err
			}
			failed := 0
			for _, r := range all {
				if !r.Passed {
					failed++
				}
			}
			if failed > 0 {
				return found(fmt.Errorf("%d of %d cases failed", failed, len(all)))
			}
			return nil
		},
	}
}

func printPolicyResults(w io.Writer, all []gatehouse.PolicyResult) {
	for _, r := range all {
		if r.Passed {
			fmt.Fprintf(w, "ok      %s: %s by %s\n", r.Name, r.Got, r.By)
			continue
		}
		fmt.Fprintf(w, "FAILED  %s: %s by %s, %s (%s)\n", r.Name, r.Got, r.By, r.Detail, r.At)
	}
}
