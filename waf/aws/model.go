package aws

import "gatehouse/config"

// The structs below are AWS WAF's API (2019-07-29), as the aws command prints it.
// What means nothing here is any.

type (
	document struct {
		config.At
		WebACL          *webACL          `yaml:"WebACL"`
		RuleGroup       *ruleGroup       `yaml:"RuleGroup"`
		IPSet           *ipSet           `yaml:"IPSet"`
		RegexPatternSet *regexPatternSet `yaml:"RegexPatternSet"`
		LockToken       any              `yaml:"LockToken"`
		URL             any              `yaml:"ApplicationIntegrationURL"`

		partial bool // it was not read whole
	}

	// About is what tells a thing apart at AWS.
	About struct {
		ID          any `yaml:"Id"`
		ARN         any `yaml:"ARN"`
		Description any `yaml:"Description"`
		Visibility  any `yaml:"VisibilityConfig"`
		Capacity    any `yaml:"Capacity"`
		Namespace   any `yaml:"LabelNamespace"`
	}

	webACL struct {
		config.At
		About         `yaml:",inline"`
		Name          string          `yaml:"Name,required"`
		DefaultAction *action         `yaml:"DefaultAction,required"`
		Rules         []ruleModel     `yaml:"Rules"`
		Bodies        map[string]body `yaml:"CustomResponseBodies"`
		Before        []any           `yaml:"PreProcessFirewallManagerRuleGroups"`
		Behind        []any           `yaml:"PostProcessFirewallManagerRuleGroups"`
		Association   *association    `yaml:"AssociationConfig"`
		DataProtect   any             `yaml:"DataProtectionConfig"`
		OnSource      any             `yaml:"OnSourceDDoSProtectionConfig"`
		Application   any             `yaml:"ApplicationConfig"`
		Captcha       any             `yaml:"CaptchaConfig"`
		Challenge     *proof          `yaml:"ChallengeConfig"`
		Domains       any             `yaml:"TokenDomains"`
		Managed       any             `yaml:"ManagedByFirewallManager"`
		Retrofitted   any             `yaml:"RetrofittedByFirewallManager"`
	}

	ruleGroup struct {
		config.At
		About     `yaml:",inline"`
		Name      string          `yaml:"Name,required"`
		Rules     []ruleModel     `yaml:"Rules"`
		Bodies    map[string]body `yaml:"CustomResponseBodies"`
		Available any             `yaml:"AvailableLabels"`
		Consumed  any             `yaml:"ConsumedLabels"`
	}

	ipSet struct {
		config.At
		About     `yaml:",inline"`
		Name      string   `yaml:"Name,required"`
		Version   any      `yaml:"IPAddressVersion"`
		Addresses []prefix `yaml:"Addresses"`
	}

	regexPatternSet struct {
		config.At
		About `yaml:",inline"`
		Name  string  `yaml:"Name,required"`
		Regex []regex `yaml:"RegularExpressionList"`
	}

	regex struct {
		config.At
		String string `yaml:"RegexString,required"`
	}

	body struct {
		config.At
		Type    string `yaml:"ContentType" enum:"TEXT_PLAIN|TEXT_HTML|APPLICATION_JSON"`
		Content string `yaml:"Content"`
	}

	association struct {
		config.At
		Body map[string]struct {
			config.At
			Limit string `yaml:"DefaultSizeInspectionLimit" enum:"KB_8|KB_16|KB_32|KB_48|KB_64"`
		} `yaml:"RequestBody"`
	}

	ruleModel struct {
		config.At
		Name       string     `yaml:"Name,required"`
		Priority   int        `yaml:"Priority"`
		Statement  *statement `yaml:"Statement,required"`
		Action     *action    `yaml:"Action"`
		Override   *override  `yaml:"OverrideAction"`
		Labels     []label    `yaml:"RuleLabels"`
		Visibility any        `yaml:"VisibilityConfig"`
		Captcha    any        `yaml:"CaptchaConfig"`
		Challenge  *proof     `yaml:"ChallengeConfig"`
	}

	proof struct {
		config.At
		Immunity immunity `yaml:"ImmunityTimeProperty"`
	}

	immunity struct {
		config.At
		Seconds int `yaml:"ImmunityTime" range:"60..259200"`
	}

	label struct {
		config.At
		Name string `yaml:"Name,required"`
	}

	override struct {
		config.At
		None  *handling `yaml:"None"`
		Count *handling `yaml:"Count"`
	}

	action struct {
		config.At
		Allow     *handling `yaml:"Allow"`
		Block     *handling `yaml:"Block"`
		Count     *handling `yaml:"Count"`
		Captcha   *handling `yaml:"Captcha"`
		Challenge *handling `yaml:"Challenge"`
	}

	handling struct {
		config.At
		Request  *request  `yaml:"CustomRequestHandling"`
		Response *response `yaml:"CustomResponse"`
	}

	request struct {
		config.At
		Insert []pair `yaml:"InsertHeaders"`
	}

	response struct {
		config.At
		Code    int    `yaml:"ResponseCode,required"`
		BodyKey string `yaml:"CustomResponseBodyKey"`
		Headers []pair `yaml:"ResponseHeaders"`
	}

	pair struct {
		config.At
		Name  string `yaml:"Name,required"`
		Value string `yaml:"Value"`
	}
)
