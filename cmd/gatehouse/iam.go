package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse"
	"gatehouse/iam"
)

func newIAM(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "iam",
		Short:   "Ask about users, roles and policies; manage access keys",
		Example: "  gatehouse iam simulate --principal user:ci --action execute-api:Invoke --resource arn:aws:execute-api:local:000000000000:shop/prod/GET/orders",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSimulate(f), newAccessKey(f))
	return cmd
}

// simulation is what is asked of policies.
type simulation struct {
	question iam.Question
	context  []string
}

func newSimulate(f *flags) *cobra.Command {
	s := &simulation{}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Print what policies say about a request, and which statement decides",
		Long: "Print what policies say about a request, and which statement decides: by the\nconfiguration's iam section and the policy of the API, without a gateway that runs.\n\n" +
			"A principal is user:NAME, role:NAME, role:NAME/SESSION, the ARN of one, or anonymous.\nA --context that is said several times is a key with several values. The exit code\nis 0 whatever is decided.",
		Example: "  gatehouse iam simulate --principal user:ci --action execute-api:Invoke \\\n    --resource arn:aws:execute-api:local:000000000000:shop/prod/GET/orders/42 --context aws:SourceIp=203.0.113.9",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.parseContext(); err != nil {
				return err
			}
			cfg, err := gatehouse.Load(f.config)
			if err != nil {
				return f.problems(cmd, err)
			}
			answer, err := cfg.Simulate(s.question)
			if err != nil {
				return found(err)
			}
			return f.print(cmd, answer, func() { printAnswer(cmd.OutOrStdout(), answer) })
		},
	}
	cmd.Flags().StringVar(&s.question.Principal, "principal", "", "who asks: user:NAME, role:NAME[/SESSION], an ARN, or anonymous")
	cmd.Flags().StringVar(&s.question.Action, "action", "", "what for, such as "+iam.Invoke)
	cmd.Flags().StringVar(&s.question.Resource, "resource", "*", "of what: an ARN")
	cmd.Flags().StringArrayVar(&s.context, "context", nil, "a condition key of the request and its value, such as aws:SourceIp=203.0.113.9")
	for _, name := range []string{"principal", "action"} {
		_ = cmd.MarkFlagRequired(name) // fails for unknown names alone
	}
	return cmd
}

func (s *simulation) parseContext() error {
	s.question.Context = make(map[string][]string)
	for _, pair := range s.context {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || !strings.Contains(key, ":") {
			return fmt.Errorf("--context wants KEY=VALUE, such as aws:SourceIp=203.0.113.9, not %q", pair)
		}
		s.question.Context[key] = append(s.question.Context[key], value)
	}
	return nil
}

func printAnswer(w io.Writer, a iam.Answer) {
	fmt.Fprintf(w, "%s: %s %s on %s\n", a.Decision, a.Principal, a.Action, a.Resource)
	if s := a.Statement; s != nil {
		fmt.Fprintf(w, "  by the statement %s of %s (%s)\n  %s\n", title(s), s.Policy, a.Layer, s.At)
	} else {
		fmt.Fprintf(w, "  no statement of %s allows it\n", a.Layer)
	}
	if len(a.Missing) > 0 {
		fmt.Fprintf(w, "  policies also ask for %s: say it with --context\n", strings.Join(a.Missing, ", "))
	}
}

func title(s *iam.Statement) string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("#%d", s.Number)
}
