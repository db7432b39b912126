package function

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"gatehouse/function/adapter"
)

var (
	//go:embed bootstrap/bootstrap.mjs
	nodeBootstrap []byte
	//go:embed bootstrap/bootstrap.py
	pythonBootstrap []byte
)

// runtime finds what a version is run by.
func (k *Keeper) runtime(v *version) error {
	c := &v.config
	switch c.Runtime {
	case NodeJS:
		return k.interpreted(v, "bootstrap.mjs", nodeBootstrap, "node")
	case Python:
		return k.interpreted(v, "bootstrap.py", pythonBootstrap, "/usr/bin/python3", "python3")
	}
	switch c.Runtime {
	case HTTP:
		return k.web(v)
	case WASM:
		return nil // the module is read when it is compiled
	}
	return k.provided(v)
}

// web has a copy of this program beside a web server: it is the adapter.
func (k *Keeper) web(v *version) error {
	own, err := os.Executable()
	if err != nil {
		return err
	}
	if v.runtime, err = k.store.program(own, "adapter"); err != nil {
		return err
	}
	handler := v.config.Handler
	if handler == "" {
		handler = "bootstrap"
	}
	v.command, v.args = path.Join(runtimePath, "adapter"), []string{adapter.Name, handler}
	v.trees = trees("/usr/bin/env")
	return nil
}

// provided looks whether the executable is there.
func (k *Keeper) provided(v *version) error {
	name := v.config.Handler
	if name == "" {
		name = "bootstrap"
	}
	info, err := os.Stat(filepath.Join(v.code, name))
	switch {
	case err != nil && v.layers != "" && isExecutable(filepath.Join(v.layers, name)):
		v.command = path.Join(layersPath, name)
		return nil
	case err != nil:
		return fmt.Errorf("the code holds no %s: for Go, go build -o %s, with CGO_ENABLED=0", name, name)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable: chmod +x", name)
	}
	v.command = path.Join(taskPath, name)
	return nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// interpreted finds the interpreter, and what it needs beside itself.
func (k *Keeper) interpreted(v *version, name string, script []byte, candidates ...string) error {
	if said := v.config.Interpreter.Value; said != "" {
		candidates = []string{said}
	}
	interpreter, err := find(candidates)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(script)
	v.runtime, err = k.store.write("runtime-"+hex.EncodeToString(sum[:]), map[string][]byte{name: script})
	if err != nil {
		return err
	}
	v.command, v.args = interpreter, []string{path.Join(runtimePath, name)}
	v.trees = trees(interpreter)
	return nil
}

// find returns the first of the candidates that is there, without links.
func find(candidates []string) (string, error) {
	for _, name := range candidates {
		found, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if real, err := filepath.EvalSymlinks(found); err == nil {
			return real, nil
		}
	}
	return "", errors.New("there is no " + strings.Join(candidates, " and no ") + " on this machine: install it, or say where it is by interpreter")
}

// trees returns what an interpreter needs of this machine: its own installation,
// and the system's libraries.
func trees(interpreter string) []string {
	out := []string{"/usr", "/lib", "/lib64", "/bin"}
	prefix := filepath.Dir(filepath.Dir(interpreter))
	if strings.HasPrefix(interpreter, "/usr/") || strings.HasPrefix(interpreter, "/bin/") || prefix == "/" {
		return out
	}
	return append(out, prefix)
}
