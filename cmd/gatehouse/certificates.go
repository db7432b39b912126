package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse"
)

func newCertificates(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "certificates",
		Short: "List the certificates that the running gateway serves, and when they are renewed",
		Long: "List the certificates that the listeners of the running gateway serve: their names,\n" +
			"where they come from (acme, file, internal), when they expire and are renewed, and why\n" +
			"the last attempt to obtain one has failed. What has no certificate by acme yet is served\n" +
			"with an internal one; those are issued when they are first asked for.",
		Example: "  gatehouse certificates -c shop/gatehouse.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client(cmd)
			if err != nil {
				return err
			}
			list := []gatehouse.CertificateInfo{}
			if err := c.Certificates(cmd.Context(), &list); err != nil {
				return found(err)
			}
			return f.print(cmd, list, func() { printCertificates(cmd.OutOrStdout(), list) })
		},
	}
}

func printCertificates(w io.Writer, list []gatehouse.CertificateInfo) {
	t := newTable(w)
	fmt.Fprintln(t, "NAMES\tSOURCE\tISSUER\tEXPIRES\tRENEWS\tLAST ERROR")
	for _, c := range list {
		problem := c.Problem
		if c.Again != nil {
			problem += " (again at " + when(c.Again) + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", orNone(strings.Join(c.Names, " ")), c.Source, orNone(c.Issuer), when(c.Expires), when(c.Renews), orNone(problem))
	}
	_ = t.Flush()
}

func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
