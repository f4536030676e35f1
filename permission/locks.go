package permission

// Locks are the switches of all layers that close something, as plain data for
// the host: package permission enforces those over rules and modes by itself,
// the others are about what a host does beside it
// (https://code.claude.com/docs/en/managed-settings). A lock that only managed
// settings may set counts from them alone; one that cannot be read there is
// closed, and a managed file that cannot be read closes all of them.
type Locks struct {
	// ManagedRulesOnly: rules of other layers do not count, and none are saved.
	ManagedRulesOnly bool `json:"allowManagedPermissionRulesOnly,omitempty"`
	// ManagedHooksOnly: the host runs no hook of another layer.
	ManagedHooksOnly bool `json:"allowManagedHooksOnly,omitempty"`
	// ManagedServersOnly: lists of allowed MCP servers count from managed
	// settings alone. What any layer denies stays denied.
	ManagedServersOnly bool `json:"allowManagedMcpServersOnly,omitempty"`
	// ManagedDomainsOnly and ManagedReadsOnly are those of the sandbox, and are
	// in force in what [Policy.Sandbox] returns.
	ManagedDomainsOnly bool `json:"allowManagedDomainsOnly,omitempty"`
	ManagedReadsOnly   bool `json:"allowManagedReadPathsOnly,omitempty"`

	DisableBypass        bool `json:"disableBypassPermissionsMode,omitempty"`
	DisableAuto          bool `json:"disableAutoMode,omitempty"`
	DenyInsteadOfPrompts bool `json:"denyInsteadOfPrompting,omitempty"`
	BlockReadsOutside    bool `json:"blockReadsOutsideWorkingDirectories,omitempty"`
	BlockWritesOutside   bool `json:"blockWritesOutsideWorkingDirectories,omitempty"`
	// ClassifyAllShell: in auto mode no allow rule for a shell command counts.
	ClassifyAllShell bool `json:"classifyAllShell,omitempty"`
	// NoAutoInPlan: plan mode does not hand commands to a classifier.
	NoAutoInPlan bool `json:"noAutoInPlan,omitempty"`
	// DisableConnectors: the host offers no connectors of claude.ai.
	DisableConnectors bool `json:"disableClaudeAiConnectors,omitempty"`
	// DisableHooks: the host runs no hooks but managed ones; DisableManagedHooks,
	// which only managed settings say: not these either. Hooks guard calls, so a
	// repository cannot turn them off, and a value that cannot be read does not.
	DisableHooks        bool `json:"disableAllHooks,omitempty"`
	DisableManagedHooks bool `json:"disableManagedHooks,omitempty"`
	// SkipBypassWarning: the user has seen the warning of bypass mode. A
	// repository cannot say so.
	SkipBypassWarning bool `json:"skipDangerousModePermissionPrompt,omitempty"`
}

// Locks returns what the layers close.
func (p *Policy) Locks() Locks {
	if p == nil {
		return Locks{}
	}
	l := p.locks.host
	l.ManagedRulesOnly, l.ManagedDomainsOnly = p.locks.managedRulesOnly, p.locks.managedDomainsOnly
	l.DisableBypass, l.DisableAuto, l.DenyInsteadOfPrompts = p.locks.disableBypass, p.locks.disableAuto, p.locks.denyInsteadOfPrompts
	l.BlockReadsOutside, l.BlockWritesOutside = p.locks.blockReadsOutside, p.locks.blockWritesOutside
	return l
}

// hostLocks takes the locks of one layer that are for the host.
func (l *Locks) layer(src *Source, f settingsFile) {
	managed := src.Layer == LayerManaged
	tight := func(key string, value bool, dst *bool) {
		if v := f.get(key); v.closed || v.set && v.flag == value {
			*dst = true
		}
	}
	tight(keyClassifyShell, true, &l.ClassifyAllShell)
	tight(keyAutoInPlan, false, &l.NoAutoInPlan)
	tight(keyConnectors, true, &l.DisableConnectors)
	if managed {
		tight(keyManagedHooks, true, &l.ManagedHooksOnly)
		tight(keyManagedServers, true, &l.ManagedServersOnly)
	}
	// What loosens: not from a repository, trusted or not, and not where it
	// cannot be read.
	loose := func(key string) bool {
		v := f.get(key)
		return v.set && v.flag && !v.closed && !src.TightenOnly
	}
	if loose(keyDisableHooks) && src.Layer != LayerProject && src.Layer != LayerLocal {
		l.DisableHooks = true
		l.DisableManagedHooks = l.DisableManagedHooks || managed
	}
	if loose(keySkipWarning) && src.Layer != LayerProject {
		l.SkipBypassWarning = true
	}
}
