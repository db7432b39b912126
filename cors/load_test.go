package cors

import (
	"strings"
	"testing"
	"time"

	"gatehouse/config"
)

func load(text string) (*Config, error) {
	var root struct {
		CORS *Config `yaml:"cors"`
	}
	_, err := config.LoadBytes("t.yaml", []byte(text), &root, config.Options{})
	return root.CORS, err
}

func TestLoad(t *testing.T) {
	c, err := load(`cors: {origins: ["HTTPS://Shop.test:443", "*.x"], max-age: 0s}`)
	if err == nil || !strings.Contains(err.Error(), "t.yaml:1:43") || !strings.Contains(err.Error(), "is no origin") {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = load(`cors: {origins: ["https://shop.test"], methods: [GET], headers: [X-Key], expose: [ETag], credentials: true, max-age: 1h}`)
	if err != nil || c.Origins[0] != "https://shop.test" || c.Methods[0] != "GET" || c.Headers[0] != "x-key" || c.Expose[0] != "etag" || !c.Credentials || c.MaxAge.D() != time.Hour {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err = load(`cors: {methods: [GET]}`); err == nil || !strings.Contains(err.Error(), "origins") {
		t.Error(err)
	}
	if _, err = load(`cors: {origins: "*", credentials: true}`); err == nil {
		t.Error("credentials for everybody")
	}
	// A max-age of 0 forbids remembering; none leaves it to the browser.
	for text, want := range map[string]string{"": "[]", ", max-age: 0s": "[0]"} {
		c, err := load(`cors: {origins: ["*"]` + text + "}")
		if err != nil {
			t.Fatal(err)
		}
		if got := newPolicy(c, nil).maxAge; strings.Join(got, "") != strings.Trim(want, "[]") {
			t.Errorf("%q: %q", text, got)
		}
	}
}
