// Example for `scaling: {fleet: advise}`: Azure Monitor scales, by what Penstock says it wants (its metric
// wanted_workers), which it is told where the topology has `scaling.advise.azure_monitor` (docs/topology.md). Prefer `fleet: vmss`: it drains the workers it chose and deletes those, where autoscale chooses
// itself and leaves the drain to the notice of termination.
//   az deployment group create -g GROUP -f autoscale.bicep \
//     -p scaleSet=penstock-workers headIdentity=penstock-head
targetScope = 'resourceGroup'

param location string = resourceGroup().location

@description('Name of the scale set.')
param scaleSet string

@description('Name of the identity of the heads, which send the metric.')
param headIdentity string

@description('The role of `nodes` whose machines these are.')
param role string = 'worker'

@minValue(1)
param minimum int = 1

param maximum int = 20

@description('How many there are while the metric cannot be read.')
param whileUnknown int = 4

var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource workers 'Microsoft.Compute/virtualMachineScaleSets@2024-07-01' existing = {
  name: scaleSet
}

resource heads 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: headIdentity
}

resource sendsMetrics 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(workers.id, heads.id, metricsPublisher)
  scope: workers
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
    principalId: heads.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// Rules compare with constants. Divided by the instances there are, what is wanted is over 1 where some are missing and
// under 1 where some are too many.
var wanted = {
  metricName: 'wanted_workers'
  metricNamespace: 'Penstock'
  metricResourceUri: workers.id
  timeGrain: 'PT1M'
  timeWindow: 'PT5M'
  statistic: 'Average'
  timeAggregation: 'Average'
  dividePerInstance: true
  dimensions: [
    {
      DimensionName: 'role'
      Operator: 'Equals'
      Values: [
        role
      ]
    }
  ]
}

resource rules 'Microsoft.Insights/autoscaleSettings@2022-10-01' = {
  name: '${scaleSet}-wanted'
  location: location
  properties: {
    name: '${scaleSet}-wanted'
    enabled: true
    targetResourceUri: workers.id
    profiles: [
      {
        name: 'wanted'
        capacity: {
          minimum: string(minimum)
          maximum: string(maximum)
          default: string(whileUnknown)
        }
        rules: [
          {
            metricTrigger: union(wanted, {
              operator: 'GreaterThan'
              threshold: 1
            })
            scaleAction: {
              direction: 'Increase'
              type: 'ChangeCount'
              value: '1'
              cooldown: 'PT1M'
            }
          }
          {
            metricTrigger: union(wanted, {
              operator: 'LessThan'
              threshold: 1
            })
            scaleAction: {
              direction: 'Decrease'
              type: 'ChangeCount'
              value: '1'
              cooldown: 'PT5M'
            }
          }
        ]
      }
    ]
  }
}
