package test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// needs skips a test where a program, or what it needs, is not installed.
func needs(t *testing.T, what string, there bool) {
	t.Helper()
	if !there {
		t.Skipf("%s is not installed", what)
	}
}

func succeeds(name string, args ...string) bool { return exec.Command(name, args...).Run() == nil }

// asked is a line of what a client's script prints.
type asked struct {
	What    string `json:"what"`
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// allServed runs a client's script, which must have been served whatever it
// asked for.
func allServed(t *testing.T, atLeast int, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	lines := 0
	for line := range bytes.Lines(out) {
		var a asked
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if lines++; a.Status != 200 {
			t.Errorf("%s: %d %s", a.What, a.Status, a.Message)
		}
	}
	if lines < atLeast {
		t.Errorf("%d requests", lines)
	}
}

// rootsFile is the internal CA's root, for programs.
func (r *running) rootsFile() string { return filepath.Join(r.dir, "data", "ca", "root.pem") }

func (r *running) localhost() string {
	return "https://" + strings.Replace(r.secure(), "127.0.0.1", "localhost", 1)
}

// botocore, which boto3 and the aws command sign by.
func TestBotocore(t *testing.T) {
	t.Parallel()
	needs(t, "botocore", succeeds("python3", "-c", "import botocore"))
	r, _ := startIAM(t)
	allServed(t, 60, "python3", "testdata/botocore_client.py", r.localhost(), r.rootsFile(), "AKIABOSS000000000000", ciSecret)
}

// nodeModules returns where JavaScript's libraries are; it skips a test whose own
// is not there.
func nodeModules(t *testing.T, library string) string {
	t.Helper()
	modules, err := filepath.Abs("../.cache/node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	_, missing := os.Stat(filepath.Join(modules, filepath.FromSlash(library)))
	needs(t, library+" of JavaScript", missing == nil && succeeds("node", "--version"))
	return modules
}

// The AWS SDK for JavaScript.
func TestNodeSDK(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t, "@aws-sdk/client-sts")
	r, _ := startIAM(t)
	allServed(t, 6, "env", "NODE_EXTRA_CA_CERTS="+r.rootsFile(), "node", "testdata/node_sdk.mjs", r.localhost(), "https://"+strings.Replace(r.address("127.0.0.1:00"), "127.0.0.1", "localhost", 1), ciKey, ciSecret, modules)
}

// The signers of JavaScript.
func TestNodeSigners(t *testing.T) {
	t.Parallel()
	modules := nodeModules(t, "@smithy/signature-v4")
	r, _ := startIAM(t)
	allServed(t, 80, "node", "testdata/node_client.mjs", r.localhost(), r.rootsFile(), "AKIABOSS000000000000", ciSecret, modules)
}

// curl signs by itself.
func TestCurlSigns(t *testing.T) {
	t.Parallel()
	r, _ := startIAM(t)
	for target, body := range map[string]string{"/orders/42": "", "/orders": `{"a":1}`, "/orders?a=1": ""} {
		args := []string{"-sS", "--fail-with-body", "--cacert", r.rootsFile(), "--aws-sigv4", "aws:amz:eu-central-1:execute-api", "--user", "AKIABOSS000000000000:" + ciSecret, r.localhost() + target}
		if body != "" {
			args = append(args, "--data", body, "-H", "content-type: application/json")
		}
		if out, err := exec.CommandContext(t.Context(), "curl", args...).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("user/boss")) {
			t.Errorf("%s: %v %s", target, err, out)
		}
	}
}

// The aws command.
func TestAWSCommand(t *testing.T) {
	t.Parallel()
	needs(t, "the aws command", succeeds("aws", "--version"))
	r, _ := startIAM(t)
	run := func(id, secret, token string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "aws", args...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+id, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_SESSION_TOKEN="+token, "AWS_DEFAULT_REGION=eu-central-1",
			"AWS_CA_BUNDLE="+r.rootsFile(), "AWS_MAX_ATTEMPTS=1", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	endpoint := "https://" + r.address("127.0.0.1:00")
	if out, err := run(ciKey, ciSecret, "", "sts", "get-caller-identity", "--endpoint-url", endpoint); err != nil || !strings.Contains(out, "arn:aws:iam::123456789012:user/ci") {
		t.Errorf("get-caller-identity: %v %s", err, out)
	}
	out, err := run(ciKey, ciSecret, "", "sts", "assume-role", "--endpoint-url", endpoint, "--role-arn", "arn:aws:iam::123456789012:role/deploy", "--role-session-name", "cli", "--external-id", "partner-1")
	if err != nil {
		t.Fatalf("assume-role: %v %s", err, out)
	}
	var session struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	}
	if err := json.Unmarshal([]byte(out), &session); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := session.Credentials
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(c.AccessKeyId, c.SecretAccessKey, c.SessionToken, "apigatewaymanagementapi", "post-to-connection", "--endpoint-url", r.localhost(), "--connection-id", "abc=", "--data", "fileb://"+body); err != nil {
		t.Errorf("post-to-connection: %v %s", err, out)
	}
	if out, err := run(ciKey, ciSecret, "", "sts", "assume-role", "--endpoint-url", endpoint, "--role-arn", "arn:aws:iam::123456789012:role/deploy", "--role-session-name", "cli"); err == nil || !strings.Contains(out, "AccessDenied") {
		t.Errorf("without the external id: %v %s", err, out)
	}
}
