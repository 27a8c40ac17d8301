// What a fleet stands on and what outlives it: network, storage, key vault, identities and their rights.
//   az deployment group create -g GROUP -f base.bicep -p base.parameters.json
targetScope = 'resourceGroup'

@description('Begins the names of everything.')
@minLength(3)
@maxLength(11)
param name string

param location string = resourceGroup().location

@description('Addresses of the network; heads, workers and a gateway get a part each.')
param addressPrefix string = '10.40.0.0/16'

@description('Who may reach the heads\' door: an address prefix or a service tag.')
param clients string = 'VirtualNetwork'

@description('Object id of who puts secrets into the vault and releases into the storage.')
param operatorObjectId string

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param operatorType string = 'User'

@description('How often jobs and releases are kept: in three zones, or in one place where the region has no zones.')
@allowed([
  'Standard_ZRS'
  'Standard_LRS'
])
param storageSku string = 'Standard_ZRS'

var unique = take('${replace(name, '-', '')}${uniqueString(resourceGroup().id)}', 24)
var headPrefix = cidrSubnet(addressPrefix, 24, 0)
var gatewayPrefix = cidrSubnet(addressPrefix, 24, 1)
var workerPrefix = cidrSubnet(addressPrefix, 20, 1)

// Roles of Azure, by their ids.
var blobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var vaultSecretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

resource headRules 'Microsoft.Network/networkSecurityGroups@2023-11-01' = {
  name: '${name}-heads'
  location: location
  properties: {
    securityRules: [
      {
        name: 'workers'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: workerPrefix
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '7400'
        }
      }
      {
        name: 'clients'
        properties: {
          priority: 110
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: clients
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '8080'
        }
      }
      {
        name: 'gateway'
        properties: {
          priority: 120
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: gatewayPrefix
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '8080'
        }
      }
      {
        name: 'probes'
        properties: {
          priority: 130
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'AzureLoadBalancer'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '8080'
        }
      }
      {
        name: 'nobody-else'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

// Workers dial their head and nobody dials them, but for the heads that scrape their metrics.
resource workerRules 'Microsoft.Network/networkSecurityGroups@2023-11-01' = {
  name: '${name}-workers'
  location: location
  properties: {
    securityRules: [
      {
        name: 'metrics'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: headPrefix
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '9464'
        }
      }
      {
        name: 'nobody-else'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

// The way out: to the storage, the vault, Resource Manager and Debian's packages.
resource outboundAddress 'Microsoft.Network/publicIPAddresses@2023-11-01' = {
  name: '${name}-outbound'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource outbound 'Microsoft.Network/natGateways@2023-11-01' = {
  name: '${name}-outbound'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: outboundAddress.id
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2023-11-01' = {
  name: name
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'heads'
        properties: {
          addressPrefix: headPrefix
          networkSecurityGroup: {
            id: headRules.id
          }
          natGateway: {
            id: outbound.id
          }
        }
      }
      {
        name: 'gateway'
        properties: {
          addressPrefix: gatewayPrefix
        }
      }
      {
        name: 'workers'
        properties: {
          addressPrefix: workerPrefix
          networkSecurityGroup: {
            id: workerRules.id
          }
          natGateway: {
            id: outbound.id
          }
        }
      }
    ]
  }
}

// One account for jobs and for releases. Nobody has its key: only identities get in.
resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: unique
  location: location
  kind: 'StorageV2'
  sku: {
    name: storageSku
  }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: storage
  name: 'default'
}

resource releases 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'releases'
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: unique
  location: location
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
  }
}

// Assigned by the user, so that their rights are there before the first machine boots.
resource headIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-head'
  location: location
}

resource workerIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-worker'
  location: location
}

// Heads keep jobs in the account; workers only fetch releases.
resource headBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, headIdentity.id, blobDataContributor)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: headIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource headQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, headIdentity.id, queueDataContributor)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueDataContributor)
    principalId: headIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource workerReleases 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(releases.id, workerIdentity.id, blobDataReader)
  scope: releases
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataReader)
    principalId: workerIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource operatorReleases 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(releases.id, operatorObjectId, blobDataContributor)
  scope: releases
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: operatorObjectId
    principalType: operatorType
  }
}

resource operatorSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, operatorObjectId, vaultSecretsOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', vaultSecretsOfficer)
    principalId: operatorObjectId
    principalType: operatorType
  }
}

output workerIdentity string = workerIdentity.name
output headIdentity string = headIdentity.name
output storageAccount string = storage.name
output vault string = vault.name
