// Example: an Application Gateway before the heads, for clients from outside. It ends TLS, asks every head for /readyz,
// and sends nothing to one that drains.
//   az deployment group create -g GROUP -f gateway.bicep -p name=penstock headAddresses='["10.40.0.5"]' \
//     certificate=https://VAULT.vault.azure.net/secrets/NAME certificateIdentity=ID
targetScope = 'resourceGroup'

@description('As in base.bicep.')
param name string

param location string = resourceGroup().location

@description('The output headAddresses of fleet.bicep.')
param headAddresses array

@description('Address of the certificate in a key vault.')
param certificate string

@description('Resource id of an identity that may read it.')
param certificateIdentity string

@minValue(0)
param minimum int = 0

param maximum int = 4

var gateway = '${name}-gateway'

resource network 'Microsoft.Network/virtualNetworks@2023-11-01' existing = {
  name: name
}

resource subnet 'Microsoft.Network/virtualNetworks/subnets@2023-11-01' existing = {
  parent: network
  name: 'gateway'
}

resource address 'Microsoft.Network/publicIPAddresses@2023-11-01' = {
  name: gateway
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource front 'Microsoft.Network/applicationGateways@2023-11-01' = {
  name: gateway
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${certificateIdentity}': {}
    }
  }
  properties: {
    sku: {
      name: 'Standard_v2'
      tier: 'Standard_v2'
    }
    autoscaleConfiguration: {
      minCapacity: minimum
      maxCapacity: maximum
    }
    gatewayIPConfigurations: [
      {
        name: 'subnet'
        properties: {
          subnet: {
            id: subnet.id
          }
        }
      }
    ]
    frontendIPConfigurations: [
      {
        name: 'public'
        properties: {
          publicIPAddress: {
            id: address.id
          }
        }
      }
    ]
    frontendPorts: [
      {
        name: 'https'
        properties: {
          port: 443
        }
      }
    ]
    sslCertificates: [
      {
        name: 'door'
        properties: {
          keyVaultSecretId: certificate
        }
      }
    ]
    backendAddressPools: [
      {
        name: 'heads'
        properties: {
          backendAddresses: [
            for head in headAddresses: {
              ipAddress: head
            }
          ]
        }
      }
    ]
    probes: [
      {
        name: 'ready'
        properties: {
          protocol: 'Http'
          host: '127.0.0.1'
          path: '/readyz'
          interval: 5
          timeout: 5
          unhealthyThreshold: 2
          match: {
            statusCodes: [
              '200'
            ]
          }
        }
      }
    ]
    backendHttpSettingsCollection: [
      {
        name: 'door'
        properties: {
          protocol: 'Http'
          port: 8080
          cookieBasedAffinity: 'Disabled'
          // Longer than any deadline of the door (60 s), and than the 15 s between signs of life of events.
          requestTimeout: 75
          probe: {
            id: resourceId('Microsoft.Network/applicationGateways/probes', gateway, 'ready')
          }
          // Requests that are under way when a head drains have as long as `shutdown.grace`.
          connectionDraining: {
            enabled: true
            drainTimeoutInSec: 60
          }
        }
      }
    ]
    httpListeners: [
      {
        name: 'https'
        properties: {
          protocol: 'Https'
          frontendIPConfiguration: {
            id: resourceId('Microsoft.Network/applicationGateways/frontendIPConfigurations', gateway, 'public')
          }
          frontendPort: {
            id: resourceId('Microsoft.Network/applicationGateways/frontendPorts', gateway, 'https')
          }
          sslCertificate: {
            id: resourceId('Microsoft.Network/applicationGateways/sslCertificates', gateway, 'door')
          }
        }
      }
    ]
    requestRoutingRules: [
      {
        name: 'door'
        properties: {
          ruleType: 'Basic'
          priority: 100
          httpListener: {
            id: resourceId('Microsoft.Network/applicationGateways/httpListeners', gateway, 'https')
          }
          backendAddressPool: {
            id: resourceId('Microsoft.Network/applicationGateways/backendAddressPools', gateway, 'heads')
          }
          backendHttpSettings: {
            id: resourceId('Microsoft.Network/applicationGateways/backendHttpSettingsCollection', gateway, 'door')
          }
        }
      }
    ]
  }
}

output door string = 'https://${address.properties.ipAddress}'
