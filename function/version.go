package function

import (
	"maps"
	"slices"
	"strconv"
)

// version is one content of one function. It never changes.
type version struct {
	config Config
	hash   string // of code, layers and configuration, in hex
	arn    string
	region string

	command string // within
	args    []string
	code    string // folders of the store
	layers  string
	runtime string
	trees   []string
}

// name is how the version is called.
func (v *version) name() string { return v.hash[:12] }

// spec is what a process of the version is started with.
func (v *version) spec(stream, instance string) Spec {
	c := &v.config
	env := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin", "LANG=en_US.UTF-8", "TZ=:UTC", "HOME=/tmp", "LD_LIBRARY_PATH=/var/task:/var/task/lib:/opt/lib",
		"AWS_LAMBDA_RUNTIME_API=" + apiAddress,
		"_HANDLER=" + c.Handler,
		"LAMBDA_TASK_ROOT=" + taskPath,
		"LAMBDA_RUNTIME_DIR=" + runtimePath,
		"AWS_EXECUTION_ENV=AWS_Lambda_" + c.Runtime,
		"AWS_LAMBDA_FUNCTION_NAME=" + c.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.FormatInt(int64(c.Memory)>>20, 10),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + c.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + stream + "/[" + v.name() + "]" + instance,
		"AWS_REGION=" + v.region, "AWS_DEFAULT_REGION=" + v.region,
	}
	if c.Requests > 1 {
		env = append(env, "AWS_LAMBDA_MAX_CONCURRENCY="+strconv.Itoa(c.Requests))
	}
	if c.Runtime == HTTP {
		env = append(env, "PORT="+strconv.Itoa(c.Port), "AWS_LWA_PORT="+strconv.Itoa(c.Port))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		env = append(env, name+"="+c.Environment[name].Reveal())
	}
	return Spec{
		Command: v.command, Args: v.args, Env: env, Code: v.code, Layers: v.layers, Runtime: v.runtime, Trees: v.trees,
		Memory: int64(c.Memory), Tmp: int64(c.Tmp), CPU: c.CPU,
	}
}

// Where the folders of a version are within its processes.
const (
	taskPath    = "/var/task"
	layersPath  = "/opt"
	runtimePath = "/var/runtime"
)
