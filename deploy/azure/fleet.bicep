// The machines: heads behind an internal load balancer, and a scale set of workers that the heads may grow and shrink.
//   az deployment group create -g GROUP -f fleet.bicep -p fleet.parameters.json
// Needs what base.bicep makes, with the release, the site and the keys put into it (docs/deploy.md).
targetScope = 'resourceGroup'

@description('As in base.bicep.')
@minLength(3)
@maxLength(11)
param name string

param location string = resourceGroup().location

@description('Public key for SSH, which only the serial console and machines in the same subnet can use.')
param sshPublicKey string

@description('The bundle or the .deb in the container `releases`.')
param release string

@description('Its SHA-256, as sha256sum prints it.')
@minLength(64)
@maxLength(64)
param releaseSha256 string

@description('What pack-site made, in the same container.')
param site string

@minLength(64)
@maxLength(64)
param siteSha256 string

@description('SHA-256 of the token that clients send; the token itself is nowhere.')
@minLength(64)
@maxLength(64)
param tokenSha256 string

@description('The same of the token that Prometheus asks with, which is the secret targets-token.')
@minLength(64)
@maxLength(64)
param targetsSha256 string

@description('With more than one the topology must name all heads in scaling.heads: see "Several heads" in docs/deploy.md.')
@minValue(1)
@maxValue(9)
param headCount int = 1

param headSize string = 'Standard_D4as_v5'

param workerSize string = 'Standard_D8as_v5'

@description('Workers at the start. Then scaling decides; a later deployment sets it again: give what there is.')
@minValue(0)
param workerCount int = 1

@description('Cheaper workers that Azure takes back with 30 s notice.')
param spot bool = false

@description('The most to pay for an hour of a Spot worker; -1: up to the ordinary price.')
param spotMaxPrice string = '-1'

@description('Zones of the region; none: wherever there is room.')
param zones array = []

@description('How long a deleted worker may drain before it is cut off, 5 to 15 minutes.')
@allowed([
  'PT5M'
  'PT10M'
  'PT15M'
])
param terminateNotice string = 'PT5M'

@description('Run Debian\'s Prometheus on each head, with the rules and alerts of the site.')
param monitoring bool = true

@description('Image of all machines; its glibc must be 2.36 or later.')
param image object = {
  publisher: 'Debian'
  offer: 'debian-12'
  sku: '12-gen2'
  version: 'latest'
}

var unique = take('${replace(name, '-', '')}${uniqueString(resourceGroup().id)}', 24)
var adminUser = 'operator'
var vaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var scaleSetName = '${name}-workers'

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: unique
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: unique
}

resource headIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: '${name}-head'
}

resource workerIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: '${name}-worker'
}

resource network 'Microsoft.Network/virtualNetworks@2023-11-01' existing = {
  name: name
}

resource headSubnet 'Microsoft.Network/virtualNetworks/subnets@2023-11-01' existing = {
  parent: network
  name: 'heads'
}

resource workerSubnet 'Microsoft.Network/virtualNetworks/subnets@2023-11-01' existing = {
  parent: network
  name: 'workers'
}

// What a machine needs to know to fetch the rest with its identity: no secret is in it. It is the machines' user data,
// which may be changed, unlike their custom data.
var common = {
  releases: '${storage.properties.primaryEndpoints.blob}releases'
  release: release
  release_sha256: releaseSha256
  site: site
  site_sha256: siteSha256
  vault: vault.properties.vaultUri
}
var account = 'AccountName=${storage.name};EndpointSuffix=${environment().suffixes.storage};Name=${name}'
var headConfig = union(common, {
  role: 'head'
  heads: headCount
  identity: headIdentity.properties.clientId
  keys: {
    'head.key': 'head-key'
    'head.key_secret': 'head-key-secret'
    'worker.key': 'worker-key'
  }
  environment: {
    PENSTOCK_TOKEN_SHA256: tokenSha256
    PENSTOCK_TARGETS_SHA256: targetsSha256
    PENSTOCK_STORAGE: '${account};IdentityClientId=${headIdentity.properties.clientId}'
    PENSTOCK_SCALE_SET: resourceId('Microsoft.Compute/virtualMachineScaleSets', scaleSetName)
    PENSTOCK_IDENTITY: headIdentity.properties.clientId
  }
  monitoring: monitoring
  monitoring_token: 'targets-token'
})
var workerConfig = union(common, {
  role: 'worker'
  identity: workerIdentity.properties.clientId
  keys: {
    'head.key': 'head-key'
    'worker.key_secret': 'worker-key-secret'
  }
  environment: {
    PENSTOCK_HEAD: 'tcp://${balancer.properties.frontendIPConfigurations[0].properties.privateIPAddress}:7400'
    PENSTOCK_METRICS: '0.0.0.0:9464'
  }
  monitoring: false
})
var bootstrap = replace(loadTextContent('cloud-init.yaml'), '__BOOTSTRAP__', loadFileAsBase64('bootstrap.py'))
var needed = '["ca-certificates"]'
var headData = replace(bootstrap, '__PACKAGES__', monitoring ? '["ca-certificates", "prometheus"]' : needed)
var workerData = replace(bootstrap, '__PACKAGES__', needed)

// One address for workers and clients. A head that drains is not ready: it gets no new connection, and keeps what it
// has.
resource balancer 'Microsoft.Network/loadBalancers@2023-11-01' = {
  name: '${name}-heads'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    frontendIPConfigurations: [
      {
        name: 'heads'
        properties: {
          privateIPAllocationMethod: 'Dynamic'
          subnet: {
            id: headSubnet.id
          }
        }
      }
    ]
    backendAddressPools: [
      {
        name: 'heads'
      }
    ]
    probes: [
      {
        name: 'ready'
        properties: {
          protocol: 'Http'
          port: 8080
          requestPath: '/readyz'
          intervalInSeconds: 5
          numberOfProbes: 1
          probeThreshold: 2
        }
      }
    ]
    loadBalancingRules: [
      for rule in [
        { name: 'workers', port: 7400 }
        { name: 'door', port: 8080 }
      ]: {
        name: rule.name
        properties: {
          protocol: 'Tcp'
          frontendPort: rule.port
          backendPort: rule.port
          idleTimeoutInMinutes: 30
          enableTcpReset: true
          disableOutboundSnat: true
          frontendIPConfiguration: {
            id: resourceId('Microsoft.Network/loadBalancers/frontendIPConfigurations', '${name}-heads', 'heads')
          }
          backendAddressPool: {
            id: resourceId('Microsoft.Network/loadBalancers/backendAddressPools', '${name}-heads', 'heads')
          }
          probe: {
            id: resourceId('Microsoft.Network/loadBalancers/probes', '${name}-heads', 'ready')
          }
        }
      }
    ]
  }
}

resource headCards 'Microsoft.Network/networkInterfaces@2023-11-01' = [
  for i in range(0, headCount): {
    name: '${name}-head-${i}'
    location: location
    properties: {
      ipConfigurations: [
        {
          name: 'head'
          properties: {
            subnet: {
              id: headSubnet.id
            }
            loadBalancerBackendAddressPools: [
              {
                id: balancer.properties.backendAddressPools[0].id
              }
            ]
          }
        }
      ]
    }
  }
]

resource heads 'Microsoft.Compute/virtualMachines@2024-07-01' = [
  for i in range(0, headCount): {
    name: '${name}-head-${i}'
    location: location
    zones: empty(zones) ? [] : [zones[i % length(zones)]]
    identity: {
      type: 'UserAssigned'
      userAssignedIdentities: {
        '${headIdentity.id}': {}
      }
    }
    properties: {
      userData: base64(string(headConfig))
      hardwareProfile: {
        vmSize: headSize
      }
      storageProfile: {
        imageReference: image
        osDisk: {
          createOption: 'FromImage'
          deleteOption: 'Delete'
          managedDisk: {
            storageAccountType: 'Premium_LRS'
          }
        }
      }
      osProfile: {
        computerName: '${name}-head-${i}'
        adminUsername: adminUser
        customData: base64(headData)
        linuxConfiguration: {
          disablePasswordAuthentication: true
          ssh: {
            publicKeys: [
              {
                path: '/home/${adminUser}/.ssh/authorized_keys'
                keyData: sshPublicKey
              }
            ]
          }
        }
      }
      networkProfile: {
        networkInterfaces: [
          {
            id: headCards[i].id
          }
        ]
      }
      diagnosticsProfile: {
        bootDiagnostics: {
          enabled: true
        }
      }
    }
    dependsOn: [
      headSecretRights
    ]
  }
]

resource workers 'Microsoft.Compute/virtualMachineScaleSets@2024-07-01' = {
  name: scaleSetName
  location: location
  zones: zones
  sku: {
    name: workerSize
    tier: 'Standard'
    capacity: workerCount
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${workerIdentity.id}': {}
    }
  }
  properties: {
    orchestrationMode: 'Uniform'
    overprovision: false
    singlePlacementGroup: false
    platformFaultDomainCount: 1
    // Nothing is upgraded under work: new instances get the new model, old ones are drained and deleted.
    upgradePolicy: {
      mode: 'Manual'
    }
    automaticRepairsPolicy: {
      enabled: true
      gracePeriod: 'PT30M'
      repairAction: 'Replace'
    }
    virtualMachineProfile: {
      userData: base64(string(workerConfig))
      priority: spot ? 'Spot' : 'Regular'
      evictionPolicy: spot ? 'Delete' : null
      billingProfile: spot ? { maxPrice: json(spotMaxPrice) } : null
      // Spot instances get no such notice, only that of their eviction.
      scheduledEventsProfile: {
        terminateNotificationProfile: {
          enable: !spot
          notBeforeTimeout: terminateNotice
        }
      }
      storageProfile: {
        imageReference: image
        osDisk: {
          createOption: 'FromImage'
          managedDisk: {
            storageAccountType: 'StandardSSD_LRS'
          }
        }
      }
      osProfile: {
        computerNamePrefix: '${name}-w'
        adminUsername: adminUser
        customData: base64(workerData)
        linuxConfiguration: {
          disablePasswordAuthentication: true
          ssh: {
            publicKeys: [
              {
                path: '/home/${adminUser}/.ssh/authorized_keys'
                keyData: sshPublicKey
              }
            ]
          }
        }
      }
      networkProfile: {
        networkInterfaceConfigurations: [
          {
            name: 'worker'
            properties: {
              primary: true
              ipConfigurations: [
                {
                  name: 'worker'
                  properties: {
                    subnet: {
                      id: workerSubnet.id
                    }
                  }
                }
              ]
            }
          }
        ]
      }
      diagnosticsProfile: {
        bootDiagnostics: {
          enabled: true
        }
      }
      extensionProfile: {
        extensions: [
          {
            name: 'health'
            properties: {
              publisher: 'Microsoft.ManagedServices'
              type: 'ApplicationHealthLinux'
              typeHandlerVersion: '2.0'
              autoUpgradeMinorVersion: true
              // A drained worker has ended and answers nothing: two minutes in which it is deleted, before Azure would
              // repair it.
              settings: {
                protocol: 'http'
                port: 9464
                requestPath: '/healthz/rich'
                intervalInSeconds: 10
                numberOfProbes: 12
                gracePeriod: 900
              }
            }
          }
        ]
      }
    }
  }
  dependsOn: [
    workerSecretRights
  ]
}

// Each identity reads the secrets that are for it, and no other.
var headSecrets = [
  'head-key'
  'head-key-secret'
  'worker-key'
  'targets-token'
]
var workerSecrets = [
  'head-key'
  'worker-key-secret'
]

resource secretsOfHeads 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = [
  for secret in headSecrets: {
    parent: vault
    name: secret
  }
]

resource secretsOfWorkers 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = [
  for secret in workerSecrets: {
    parent: vault
    name: secret
  }
]

resource headSecretRights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (secret, i) in headSecrets: {
    name: guid(vault.id, secret, headIdentity.id)
    scope: secretsOfHeads[i]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', vaultSecretsUser)
      principalId: headIdentity.properties.principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource workerSecretRights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (secret, i) in workerSecrets: {
    name: guid(vault.id, secret, workerIdentity.id)
    scope: secretsOfWorkers[i]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', vaultSecretsUser)
      principalId: workerIdentity.properties.principalId
      principalType: 'ServicePrincipal'
    }
  }
]

// What the controller on the heads may do with this one scale set. Writing it includes changing its model: Azure has no
// narrower right for the capacity.
resource scaler 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, name, 'scaler')
  properties: {
    roleName: '${name} scaler of ${resourceGroup().name}'
    description: 'Reads, grows and shrinks a scale set of Penstock workers'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Compute/virtualMachineScaleSets/read'
          'Microsoft.Compute/virtualMachineScaleSets/write'
          'Microsoft.Compute/virtualMachineScaleSets/delete/action'
          'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read'
          'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write'
          'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read'
        ]
        notActions: []
      }
    ]
  }
}

// A write of the set is also checked against what its machines are joined to; without these rights it is refused with
// LinkedAuthorizationFailed.
resource joiner 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, name, 'joiner')
  properties: {
    roleName: '${name} joiner of ${resourceGroup().name}'
    description: 'Joins new Penstock workers to their subnet and gives them their identity'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Network/virtualNetworks/subnets/join/action'
          'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'
        ]
        notActions: []
      }
    ]
  }
}

resource scalesWorkers 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workers.id, headIdentity.id, scaler.name)
  scope: workers
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', scaler.name)
    principalId: headIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource joinsSubnet 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workerSubnet.id, headIdentity.id, joiner.name)
  scope: workerSubnet
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', joiner.name)
    principalId: headIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource givesIdentity 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workerIdentity.id, headIdentity.id, joiner.name)
  scope: workerIdentity
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', joiner.name)
    principalId: headIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

output door string = 'http://${balancer.properties.frontendIPConfigurations[0].properties.privateIPAddress}:8080'
output scaleSet string = workers.id
output headAddresses array = [
  for i in range(0, headCount): headCards[i].properties.ipConfigurations[0].properties.privateIPAddress
]
