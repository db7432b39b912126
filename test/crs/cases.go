// Package crs runs the regression suite of the Core Rule Set against a gateway:
// the cases of the coreruleset module, over HTTP/1.1 on real sockets.
package crs

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	suite "github.com/corazawaf/coraza-coreruleset/v4/tests"
	"github.com/goccy/go-yaml"
)

// Case is one case of the suite: stages, which all must come to what they say.
type Case struct {
	Name   string // RULE-NUMBER, as go-ftw names it
	Desc   string
	Stages []Stage
}

// Stage is one request, and what is to come of it.
type Stage struct {
	Input  Input  `yaml:"input"`
	Output Output `yaml:"output"`
}

// Input is a request as the suite writes it.
type Input struct {
	Method   *string       `yaml:"method"`
	URI      *string       `yaml:"uri"`
	Version  *string       `yaml:"version"`
	Headers  yaml.MapSlice `yaml:"headers"`
	Data     *string       `yaml:"data"`
	Encoded  string        `yaml:"encoded_request"` // all of it, in base64
	Complete *bool         `yaml:"autocomplete_headers"`
}

// Output is what is to come of a request.
type Output struct {
	Status int  `yaml:"status"`
	Error  bool `yaml:"expect_error"` // the connection ends without an answer
	Log    struct {
		IDs     []int  `yaml:"expect_ids"`
		NoIDs   []int  `yaml:"no_expect_ids"`
		Match   string `yaml:"match_regex"`
		NoMatch string `yaml:"no_match_regex"`
	} `yaml:"log"`
}

type file struct {
	Rule  int `yaml:"rule_id"`
	Tests []struct {
		ID     int     `yaml:"test_id"`
		Desc   string  `yaml:"desc"`
		Stages []Stage `yaml:"stages"`
	} `yaml:"tests"`
}

// Cases reads the suite, in the order of its files.
func Cases() (cases []Case, err error) {
	err = fs.WalkDir(suite.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		data, err := fs.ReadFile(suite.FS, path)
		if err != nil {
			return err
		}
		var f file
		if err := yaml.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for i, t := range f.Tests {
			if t.ID == 0 {
				t.ID = i + 1
			}
			cases = append(cases, Case{Name: fmt.Sprintf("%d-%d", f.Rule, t.ID), Desc: t.Desc, Stages: t.Stages})
		}
		return nil
	})
	return slices.Clip(cases), err
}
