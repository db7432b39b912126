package crs

import (
	"fmt"
	"strings"

	"gatehouse/config"
)

// directives renders a configuration as SecLang: what stands before the rule
// set, the operator's own files, the rule set, and what is taken out of it.
// Bodies are read, limited and taken apart before, so that no directive about
// them is needed.
func (c *Config) directives() string {
	var b strings.Builder
	engine := "On"
	if c.Mode == "count" {
		engine = "DetectionOnly"
	}
	fmt.Fprintf(&b, "SecRuleEngine %s\n", engine)
	b.WriteString(fixed)
	fmt.Fprintf(&b, "SecArgumentsLimit %d\n", c.Arguments.Count)
	if c.Responses.wanted() && c.Responses.Bodies {
		fmt.Fprintf(&b, "SecResponseBodyAccess On\nSecResponseBodyMimeType %s\n", strings.Join(c.Responses.types(), " "))
	} else {
		b.WriteString("SecResponseBodyAccess Off\n")
	}
	c.setup(&b)
	for _, f := range c.Files {
		b.Write(f.Content)
		b.WriteByte('\n')
	}
	b.WriteString("Include @owasp_crs/*.conf\n")
	b.WriteString(behind)
	return b.String()
}

// fixed is the same for every configuration. The limits are above all that the
// caller lets through: what is beyond its limits it has refused, or cut, itself.
const fixed = `SecAuditEngine Off
SecRequestBodyAccess On
SecRequestBodyLimit 1073741823
SecRequestBodyLimitAction ProcessPartial
SecRequestBodyJsonDepthLimit 128
SecResponseBodyLimit 1073741823
SecResponseBodyLimitAction ProcessPartial
SecDefaultAction "phase:1,log,noauditlog,pass"
SecDefaultAction "phase:2,log,noauditlog,pass"
SecDefaultAction "phase:3,log,noauditlog,pass"
SecDefaultAction "phase:4,log,noauditlog,pass"
SecDefaultAction "phase:5,log,noauditlog,pass"
SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,log,deny,status:400,msg:'The body cannot be read as what it says it is',severity:'CRITICAL',tag:'gatehouse-body'"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:200003,phase:2,t:none,log,deny,status:400,msg:'The multipart body can be read in several ways',severity:'CRITICAL',tag:'gatehouse-body'"
SecRule ARGUMENTS_LIMIT_REACHED "!@eq 0" "id:200007,phase:2,t:none,log,deny,status:400,msg:'There are more arguments than are inspected',severity:'CRITICAL',tag:'gatehouse-body'"
`

// behind is what does not hold behind a gateway: the rules that pass requests of
// Apache to itself would let whoever comes by a proxy on this machine past all
// others.
const behind = "SecRuleRemoveById 905100 905110\n"

// setup sets what the rule set asks its administrator for.
func (c *Config) setup(b *strings.Builder) {
	detect := max(c.Detect, c.Paranoia)
	vars := []string{
		"crs_setup_version=4250",
		fmt.Sprintf("blocking_paranoia_level=%d", c.Paranoia),
		fmt.Sprintf("detection_paranoia_level=%d", detect),
		fmt.Sprintf("inbound_anomaly_score_threshold=%d", c.Threshold.Inbound),
		fmt.Sprintf("outbound_anomaly_score_threshold=%d", c.Threshold.Outbound),
		"allowed_methods=" + strings.Join(c.methods(), " "),
		"allowed_request_content_type=|" + strings.Join(c.contentTypes(), "| |") + "|",
	}
	for _, limit := range []struct {
		name string
		n    int
	}{
		{"max_num_args", c.Arguments.Suspicious}, {"arg_name_length", c.Arguments.Name}, {"arg_length", c.Arguments.Value},
		{"total_arg_length", c.Arguments.Total}, {"max_file_size", c.Arguments.File}, {"combined_file_sizes", c.Arguments.Files},
	} {
		if limit.n > 0 {
			vars = append(vars, fmt.Sprintf("%s=%d", limit.name, limit.n))
		}
	}
	if c.UTF8 {
		vars = append(vars, "crs_validate_utf8_encoding=1")
	}
	if !c.Responses.wanted() {
		vars = append(vars, "crs_skip_response_analysis=1")
	}
	b.WriteString(`SecAction "id:900990,phase:1,pass,t:none,nolog`)
	for _, v := range vars {
		fmt.Fprintf(b, ",setvar:'tx.%s'", v)
	}
	b.WriteString("\"\n")
}

// permitted are the directives that a file of the operator's may hold: those
// that say rules, and none that opens a file, a socket or a program, or says what
// the configuration says.
func permitted() map[string]bool {
	return map[string]bool{
		"secrule": true, "secaction": true, "secmarker": true, "secdefaultaction": true,
		"secruleremovebyid": true, "secruleremovebytag": true, "secruleremovebymsg": true,
		"secruleupdatetargetbyid": true, "secruleupdatetargetbytag": true, "secruleupdateactionbyid": true,
		"seccomponentsignature": true,
	}
}

// outside are operators and actions that reach for something outside of the
// request.
func outside() []string {
	return []string{"@inspectfile", "@rbl", "@ipmatchfromfile", "@ipmatchf", "@geolookup", "@validateschema", "exec:", "ctl:ruleengine"}
}

// checkFile reports what a file of the operator's must not hold.
func checkFile(f config.File, r *config.Report) {
	allowed := permitted()
	var logical strings.Builder
	start := 0
	for i, line := range strings.Split(string(f.Content), "\n") {
		text := strings.TrimSpace(line)
		if text == "" || text[0] == '#' {
			continue
		}
		if logical.Len() == 0 {
			start = i + 1
		}
		head, continued := strings.CutSuffix(text, "\\")
		logical.WriteString(head)
		if continued {
			continue
		}
		checkDirective(logical.String(), config.Pos{File: f.Path, Line: start, Column: 1}, allowed, r)
		logical.Reset()
	}
	if logical.Len() > 0 {
		r.Errorf(config.Pos{File: f.Path, Line: start, Column: 1}, "the directive does not end: its last line ends in a backslash")
	}
}

func checkDirective(text string, at config.Pos, allowed map[string]bool, r *config.Report) {
	name, _, _ := strings.Cut(text, " ")
	if !allowed[strings.ToLower(name)] {
		r.Errorf(at, "%s is no directive for a file of rules: it may hold SecRule, SecAction, SecMarker, SecDefaultAction, SecRuleRemoveBy*, SecRuleUpdate*By*; all else is said in the configuration", name)
		return
	}
	lower := strings.ToLower(text)
	for _, word := range outside() {
		if strings.Contains(lower, word) {
			r.Errorf(at, "%s reaches for something outside of the request, or switches the inspection off: it is not supported here", word)
		}
	}
}
