package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/waf/record"
)

func newWAF(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "waf",
		Short:   "Test web ACLs, and find exclusions for the Core Rule Set",
		Example: "  gatehouse waf test --request login.http\n  gatehouse waf tune --log data/waf.log",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWAFTest(f), newWAFTune(f))
	return cmd
}

func newWAFTest(f *flags) *cobra.Command {
	var request, acl, from string
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Hold one raw request against a web ACL, and say what matched",
		Long: "Hold one request against a web ACL of the configuration, without a gateway that runs,\n" +
			"and print every rule that matched and the anomaly score. The file holds the request\n" +
			"as it comes over a connection by HTTP/1.1; line ends of the head may be LF, and a\n" +
			"Content-Length is added where there is none. - reads standard input. The web ACL is\n" +
			"that of the route that takes the request. The exit code is 1 where it is refused.",
		Example: "  gatehouse waf test --request login.http --acl edge\n  printf 'GET /?q=<script> HTTP/1.1\\nHost: localhost\\n\\n' | gatehouse waf test --request -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := readInput(cmd, request)
			if err != nil {
				return found(err)
			}
			client, err := netip.ParseAddr(from)
			if err != nil {
				return fmt.Errorf("--from: %w", err)
			}
			cfg, err := gatehouse.Load(f.config)
			if err != nil {
				return f.problems(cmd, err)
			}
			result, err := cfg.TestACL(acl, raw, client.Unmap())
			if err != nil {
				return found(err)
			}
			if err := f.print(cmd, result, func() { printWAFTest(cmd.OutOrStdout(), result) }); err != nil {
				return err
			}
			if !result.Passed {
				return &foundError{}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&request, "request", "", "file with one raw request; - for standard input")
	cmd.Flags().StringVar(&acl, "acl", "", "the web ACL; default: the one of the request's route")
	cmd.Flags().StringVar(&from, "from", "127.0.0.1", "the client's address")
	_ = cmd.MarkFlagRequired("request")
	return cmd
}

// maxRequest is how long a file with a request may be.
const maxRequest = 64 << 20

func readInput(cmd *cobra.Command, name string) ([]byte, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	return io.ReadAll(io.LimitReader(in, maxRequest))
}

func printWAFTest(w io.Writer, t *gatehouse.WAFTest) {
	if t.Record == nil {
		fmt.Fprintf(w, "refused with %d before any rule: %s\n", t.Status, t.Detail)
		return
	}
	rec := t.Record
	what := "passes"
	if !t.Passed {
		what = fmt.Sprintf("refused with %d", t.Status)
	}
	fmt.Fprintf(w, "web ACL %s: %s, %s by %s\n", t.ACL, what, rec.Action, rec.Rule)
	if t.Detail != "" {
		fmt.Fprintf(w, "  %s\n", t.Detail)
	}
	fmt.Fprintf(w, "anomaly score %d\n", t.Score)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range rec.NonTerminating {
		printMatch(table, "", &m)
	}
	for _, g := range rec.Groups {
		for _, m := range g.NonTerminating {
			printMatch(table, g.ID, &m)
		}
	}
	_ = table.Flush()
	for _, l := range rec.Labels {
		fmt.Fprintf(w, "label %s\n", l.Name)
	}
}

func printMatch(w io.Writer, group string, m *record.RuleMatch) {
	if len(m.Details) == 0 {
		fmt.Fprintf(w, "%s\t%s\t\t\t%s\n", group, m.ID, m.Message)
	}
	for _, d := range m.Details {
		where, data := d.Target, ""
		if where == "" {
			where = strings.TrimSpace(d.Location + " " + d.Field)
		}
		if len(d.Data) > 0 {
			data = fmt.Sprintf("%q", d.Data[0])
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", group, m.ID, where, data, m.Message)
	}
}

func newWAFTune(f *flags) *cobra.Command {
	var logs []string
	least := 1
	cmd := &cobra.Command{
		Use:   "tune",
		Short: "Propose exclusions for the Core Rule Set from what it counted",
		Long: "Read logs of web ACLs (waf: {NAME: {log: {file: F}}}) and print exclusions, as YAML to\n" +
			"paste below core-rule-set, for the rules that matched without anything being blocked.\n" +
			"Look at each: what an attacker sent while rules only counted is in the log too.",
		Example: "  gatehouse waf tune --log data/waf.log --requests 20",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tuner := record.NewTuner()
			for _, name := range logs {
				if err := readLog(cmd, tuner, name); err != nil {
					return found(fmt.Errorf("%s: %w", name, err))
				}
			}
			proposals := tuner.Proposals(least)
			if err := f.print(cmd, proposals, func() { _ = record.WriteYAML(cmd.OutOrStdout(), proposals) }); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d records read, %d lines skipped, %d exclusions proposed\n", tuner.Records, tuner.Skipped, len(proposals))
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&logs, "log", nil, "log of a web ACL; - for standard input; several may be named")
	cmd.Flags().IntVar(&least, "requests", 1, "fewest requests for which an exclusion is proposed")
	_ = cmd.MarkFlagRequired("log")
	return cmd
}

func readLog(cmd *cobra.Command, tuner *record.Tuner, name string) error {
	if name == "-" {
		return tuner.Read(cmd.InOrStdin())
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return tuner.Read(file)
}
